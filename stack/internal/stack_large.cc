#include "gort/stack/internal/stack_large.h"

#include <atomic>
#include <bit>

#include "absl/base/thread_annotations.h"
#include "gort/base/godebug.h"
#include "gort/base/throw.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/valgrind.h"

namespace gort::rt {
namespace {

// Guards installed ahead of use, of the default stack; see guard.h. Fewer where they are wider: each
// page of a guard costs an entry.
constexpr size_t kGuardBatchBytes = 16 * StackGuardBytes(kDefaultStack, 4096);

struct Large {
  Mutex lock{LockRank::kStacklarge};
  size_t page ABSL_GUARDED_BY(lock) = 0;                           // 0: not initialised
  List<StackChunk> with_free[kChunkOrders] ABSL_GUARDED_BY(lock);  // chunks with a free slot
};
constinit Large large;

// Changed under the lock, read by anybody.
constinit std::atomic<int64_t> dirty_bytes{0};
constinit std::atomic<int64_t> inuse_bytes{0};
constinit std::atomic<int64_t> released_bytes{0};
// Where the next scavenge goes on. Only one thread scavenges at a time (scavenging).
constinit std::atomic<StackChunk*> cursor{nullptr};
constinit std::atomic<bool> scavenging{false};
// A sweep that has begun and not ended. Owned through `scavenging`, as `cursor`.
struct Sweep {
  StackChunk* at = nullptr;  // goes on here; null: no sweep
  int64_t began = 0;         // Nanotime
};
constinit Sweep sweep;

void Add(std::atomic<int64_t>* counter, int64_t n) {
  counter->fetch_add(n, std::memory_order_relaxed);  // a statistic: no partner
}

void InitLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(large.lock) {
  large.page = PageSize();
  if (kStackCacheBytes % large.page != 0) Throw("cache size must be a multiple of page size");
  GuardInit(godebug.stackguard);
}

void TellValgrind(const StackChunk* c, uint32_t first, uint32_t end) {
  if (!RunningOnValgrind()) return;
  for (uint32_t i = first; i < end; ++i) {
    ValgrindAddStack(c->Slot(i) + c->guard_bytes, c->Slot(i) + c->slot_bytes);
  }
}

// Guards a slot that is used for the first time, and the next slots with it.
void GuardAhead(StackChunk* c, uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(large.lock) {
  if (c->guard_bytes == 0 || slot < c->guarded) return;
  const size_t batch = c->guard_bytes < kGuardBatchBytes ? kGuardBatchBytes / c->guard_bytes : 1;
  const uint32_t end = batch < c->end - slot ? slot + static_cast<uint32_t>(batch) : c->end;
  GuardInstallEach(c->Slot(c->guarded), c->guard_bytes, c->slot_bytes, end - c->guarded,
                   &c->guard[c->guarded]);
  TellValgrind(c, c->guarded, end);
  if (c->guarded == c->first) GuardHarden(c->Slot(c->first), c->guard_bytes, &c->guard[c->first]);
  c->guarded = end;
}

// used: it has been in use, and has its memory.
uint32_t TakeSlot(StackChunk* c, bool* used) ABSL_EXCLUSIVE_LOCKS_REQUIRED(large.lock) {
  uint32_t slot = c->dirty.First(c->end);
  *used = slot != c->end;
  if (!*used) slot = c->free.First(c->end);
  GuardAhead(c, slot);
  c->free.Clear(slot);
  c->dirty.Clear(slot);
  c->aged.Clear(slot);
  int64_t bytes = static_cast<int64_t>(c->slot_bytes);
  Add(&inuse_bytes, bytes);
  if (*used) Add(&dirty_bytes, -bytes);
  if (--c->n_free == 0) large.with_free[c->order].Remove(c);
  return slot;
}

void GiveOne(const StackBounds& b) ABSL_EXCLUSIVE_LOCKS_REQUIRED(large.lock) {
  StackChunk* c = ChunkOf(b.lo);
  uint32_t slot = c == nullptr ? kMaxSlots : c->IndexOf(b.lo);
  if (slot == kMaxSlots || slot < c->first || slot >= c->end || c->Bounds(slot).lo != b.lo) {
    Throw("stackfree: not a stack");
  }
  if (c->free.Has(slot)) Throw("stackfree: freed twice");
  Add(&inuse_bytes, -static_cast<int64_t>(c->slot_bytes));
  if (c->mapped_bytes != 0) {
    Add(&released_bytes, static_cast<int64_t>(c->slot_bytes));
    DeleteStackChunk(c);
    return;
  }
  c->free.Set(slot);
  c->dirty.Set(slot);
  Add(&dirty_bytes, static_cast<int64_t>(c->slot_bytes));
  if (c->n_free++ == 0) large.with_free[c->order].PushFront(c);
}

// What ScavengeChunk took out of the free set; nobody else touches it until it is put back.
struct Taken {
  SlotMask slots;
  bool whole = false;  // all slots of the chunk: its page tables can go as well
  int64_t bytes = 0;   // of address space whose memory is given back
};

Taken TakeAged(StackChunk* c, int64_t now, int64_t older_than_ns)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(large.lock) {
  Taken t;
  bool old = now - c->aged_at >= older_than_ns;
  uint32_t n_taken = 0;
  uint32_t n_dirty = 0;
  for (int w = 0; w < kSlotWords; ++w) {
    uint64_t dirty = c->dirty.word(w);
    uint64_t take = older_than_ns <= 0 ? dirty : old ? dirty & c->aged.word(w) : 0;
    n_dirty += static_cast<uint32_t>(std::popcount(dirty));
    n_taken += static_cast<uint32_t>(std::popcount(take));
    t.slots.set_word(w, take);
    if (old) c->aged.set_word(w, dirty & ~take);
  }
  if (old) c->aged_at = now;
  if (n_taken == 0) return t;
  t.bytes = static_cast<int64_t>(n_taken * c->slot_bytes);
  t.whole = n_taken == n_dirty && c->n_free == c->end - c->first;
  for (int w = 0; w < kSlotWords; ++w) {
    if (t.whole) t.slots.set_word(w, c->free.word(w));
    c->free.set_word(w, c->free.word(w) & ~t.slots.word(w));
    c->dirty.set_word(w, c->dirty.word(w) & ~t.slots.word(w));
  }
  c->n_free -= t.whole ? c->n_free : n_taken;
  if (c->n_free == 0) large.with_free[c->order].Remove(c);
  Add(&dirty_bytes, -t.bytes);
  return t;
}

void PutBack(StackChunk* c, const Taken& t) ABSL_EXCLUSIVE_LOCKS_REQUIRED(large.lock) {
  if (c->n_free == 0) large.with_free[c->order].PushBack(c);  // warm chunks are used first
  for (int w = 0; w < kSlotWords; ++w) {
    c->free.set_word(w, c->free.word(w) | t.slots.word(w));
    c->n_free += static_cast<uint32_t>(std::popcount(t.slots.word(w)));
  }
  Add(&released_bytes, t.bytes);
}

// Gives the memory of taken slots back, neighbours in one call. The lock is not held.
void Release(StackChunk* c, const Taken& t) {
  if (t.whole) {
    size_t bytes = (c->end - c->first) * c->slot_bytes;
    void* p = reinterpret_cast<void*>(c->Slot(c->first));
    if (MemReset(p, bytes)) {
      MemNoHugePage(p, bytes);
      GuardForget(&c->guard[c->first], c->end - c->first);
      c->guarded = c->first;
      return;
    }
  }
  for (uint32_t i = c->first; i < c->end;) {
    if (!t.slots.Has(i)) {
      ++i;
      continue;
    }
    uint32_t run = i;
    while (i < c->end && t.slots.Has(i)) ++i;
    MemRelease(reinterpret_cast<void*>(c->Slot(run)), (i - run) * c->slot_bytes);
  }
}

int64_t ScavengeChunk(StackChunk* c, int64_t now, int64_t older_than_ns) {
  large.lock.Lock();
  Taken t = TakeAged(c, now, older_than_ns);
  large.lock.Unlock();
  if (t.bytes == 0) return 0;
  Release(c, t);
  large.lock.Lock();
  PutBack(c, t);
  large.lock.Unlock();
  return t.bytes;
}

}  // namespace

void LargeInit() {
  LockGuard guard(&large.lock);
  InitLocked();
}

int LargeTake(int order, int n, StackBounds* out, int* used) {
  LockGuard guard(&large.lock);
  if (large.page == 0) InitLocked();
  int k = 0;
  int n_used = 0;
  while (k < n) {
    StackChunk* c = large.with_free[order].front();
    if (c == nullptr) {
      c = NewStackChunk(order, large.page);
      if (c == nullptr) break;
      large.with_free[order].PushFront(c);
    }
    bool was_used;
    out[k] = c->Bounds(TakeSlot(c, &was_used));
    if (was_used && n_used == k) ++n_used;
    ++k;
  }
  if (used != nullptr) *used = n_used;
  return k;
}

void LargeGive(const StackBounds* stacks, int n) {
  LockGuard guard(&large.lock);
  for (int i = 0; i < n; ++i) GiveOne(stacks[i]);
}

bool LargeCanaryIntact(const StackChunk* c, uint32_t slot) {
  if (c->guard[slot] != GuardKind::kCanary) return true;
  const size_t bytes = c->guard_bytes < kMaxCanaryBytes ? c->guard_bytes : kMaxCanaryBytes;
  return GuardCanaryIntact(c->Bounds(slot).lo - bytes, bytes);
}

int64_t LargeDirtyBytes() { return dirty_bytes.load(std::memory_order_relaxed); }
int64_t LargeReleasedBytes() { return released_bytes.load(std::memory_order_relaxed); }
int64_t LargeInuseBytes() { return inuse_bytes.load(std::memory_order_relaxed); }

int64_t LargeScavenge(int64_t max_bytes, int64_t older_than_ns) {
  if (LargeDirtyBytes() == 0 || max_bytes <= 0) return 0;
  if (scavenging.exchange(true, std::memory_order_acquire))
    return 0;  // pairs with: the store below
  int64_t now = Nanotime();
  int64_t done = 0;
  StackChunk* start = cursor.load(std::memory_order_relaxed);  // owned through `scavenging`
  StackChunk* c = start;
  do {
    if (c == nullptr) c = AllStackChunks();
    if (c == nullptr) break;  // the first one is just being made
    done += ScavengeChunk(c, now, older_than_ns);
    c = c->all_next;
  } while (c != start && done < max_bytes && LargeDirtyBytes() != 0);
  cursor.store(c, std::memory_order_relaxed);
  scavenging.store(false, std::memory_order_release);  // pairs with: the exchange above
  return done;
}

bool LargeSweep(int64_t older_than_ns, int64_t deadline, int64_t* bytes) {
  if (LargeDirtyBytes() == 0) return false;
  // pairs with: the store below
  if (scavenging.exchange(true, std::memory_order_acquire)) return false;
  if (sweep.at == nullptr) {
    sweep.at = AllStackChunks();
    sweep.began = Nanotime();
  }
  // All chunks age by the same clock, so that a later sweep finds old what was free in this one.
  while (sweep.at != nullptr) {
    *bytes += ScavengeChunk(sweep.at, sweep.began, older_than_ns);
    sweep.at = sweep.at->all_next;
    if (Nanotime() >= deadline) break;
  }
  const bool more = sweep.at != nullptr;
  scavenging.store(false, std::memory_order_release);  // pairs with: the exchange above
  return more;
}

}  // namespace gort::rt
