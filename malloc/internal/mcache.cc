#include "gort/malloc/internal/mcache.h"

#include <cstring>

#include "absl/base/thread_annotations.h"
#include "gort/base/throw.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/fixalloc.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/platforms/mem.h"

namespace gort::rt {

constinit MCache mcache0;
constinit MCache shared_mcache;

namespace {

// Its rank is mheap's (Go guards the same things by the heap lock); the two are never held at once.
constinit Mutex all_lock{LockRank::kMheap};
constinit TypedFixAlloc<MCache> mcache_alloc ABSL_GUARDED_BY(all_lock);
constinit List<MCache> all_mcaches ABSL_GUARDED_BY(all_lock);  // but the static ones

// The set of live slots of a tiny block, in its last slot.
std::atomic<uint32_t>& LiveSlots(char* block) {
  return *reinterpret_cast<std::atomic<uint32_t>*>(block + kTinyBytes * size_t{kTinySlots});
}

constexpr uint32_t kHeldByCache = uint32_t{1} << kTinySlots;
constexpr uint32_t kAllSlots = kHeldByCache - 1;

}  // namespace

GORT_NOINLINE void* MCache::Refill(int span_class) {
  Length& l = lengths_[span_class];
  const uint32_t batch = kSizeClasses[span_class].batch;
  size_t got;
  FreeObject* o = mcentrals[span_class].Fetch(span_class, l.limit < batch ? l.limit : batch, &got);
  if (o == nullptr) return nullptr;
  if (l.limit < 2 * batch) l.limit = l.limit * 2 < 2 * batch ? l.limit * 2 : 2 * batch;
  if constexpr (kDebug) CheckTaken(o, span_class);
  heads_[span_class] = o->next;
  l.set_length(static_cast<uint32_t>(got - 1));
  KeepToMemoryLimit();
  return o;
}

GORT_NOINLINE void MCache::TooLong(int span_class) {
  Length& l = lengths_[span_class];
  const uint32_t batch = kSizeClasses[span_class].batch;
  if (l.get_length() <= l.limit) return;
  if (l.limit < 2 * batch) {
    l.limit = l.limit * 2 < 2 * batch ? l.limit * 2 : 2 * batch;
    return;
  }
  ReturnSome(span_class, batch);
  MaybeScavenge();
}

void MCache::ReturnSome(int span_class, uint32_t n) {
  Length& l = lengths_[span_class];
  FreeObject* first = heads_[span_class];
  FreeObject* last = first;
  for (uint32_t i = 1; i < n; ++i) last = last->next;
  heads_[span_class] = last->next;
  l.set_length(l.get_length() - n);
  last->next = nullptr;
  mcentrals[span_class].Return(span_class, first, n);
}

void MCache::Flush() {
  DropTinyBlock();
  for (int c = 1; c < kNumSpanClasses; ++c) {
    if (uint32_t n = lengths_[c].get_length(); n > 0) ReturnSome(c, n);
    lengths_[c].limit = 1;
  }
  MaybeScavenge();
}

// False: out of memory.
GORT_NOINLINE bool MCache::NewTinyBlock() {
  DropTinyBlock();
  char* block = static_cast<char*>(Alloc(kTinySpanClass));
  if (block == nullptr) return false;
  // All slots count as live from the start, so that cutting one needs no atomic operation.
  // Relaxed: no other thread knows the block yet.
  LiveSlots(block).store(kAllSlots | kHeldByCache, std::memory_order_relaxed);
  tiny_block_ = block;
  tiny_next_ = 0;
  return true;
}

// Lets go of the current block, and frees it if none of its objects is live. Otherwise FreeTiny of
// its last live object frees it.
void MCache::DropTinyBlock() {
  char* block = tiny_block_;
  if (block == nullptr) return;
  const uint32_t unused = kAllSlots & ~((uint32_t{1} << tiny_next_) - 1);
  const uint32_t drop = unused | kHeldByCache;
  tiny_block_ = nullptr;
  tiny_next_ = kTinySlots;
  // pairs with: FreeTiny
  if (LiveSlots(block).fetch_and(~drop, std::memory_order_acq_rel) != drop) return;
  Free(reinterpret_cast<FreeObject*>(block), kTinySpanClass);
}

void MCache::FreeTiny(void* p) {
  // Blocks fill their spans from the first byte of a page on.
  static_assert(kHeapPageSize % kTinyBlockBytes == 0);
  const uintptr_t offset = reinterpret_cast<uintptr_t>(p) % kTinyBlockBytes;
  char* block = static_cast<char*>(p) - offset;
  const uint32_t bit = uint32_t{1} << (offset / kTinyBytes);
  if (offset % kTinyBytes != 0 || bit == kHeldByCache) MallocFatal("free of a wrong pointer", p);
  if constexpr (kDebug) {
    // The set of a free block is overwritten in debug builds; there the block's own bit tells.
    MSpan* s = page_map.Get(reinterpret_cast<uintptr_t>(p));
    const uint32_t index = s->IndexOf(reinterpret_cast<uintptr_t>(p));
    const uint64_t word = s->live[index / 64].load(std::memory_order_relaxed);
    if ((word >> index % 64 & 1) == 0) MallocFatal("double free", p);
  }
  // pairs with: itself on other threads, and DropTinyBlock. Every use of the block's objects
  // happens before the thread that clears the last bit goes on.
  const uint32_t old = LiveSlots(block).fetch_and(~bit, std::memory_order_acq_rel);
  if ((old & bit) == 0) MallocFatal("double free", p);
  if (old == bit) Free(reinterpret_cast<FreeObject*>(block), kTinySpanClass);
}

// Debug builds: o is on a list of span_class and about to be handed out.
void MCache::CheckTaken(FreeObject* o, int span_class) {
  const uintptr_t p = reinterpret_cast<uintptr_t>(o);
  MSpan* s = page_map.Get(p);
  if (s == nullptr || !s->in_use() || s->span_class != span_class || p - s->base >= s->bytes() ||
      (p - s->base) % s->elem_bytes != 0) {
    MallocFatal("corrupted free list", o);
  }
  const unsigned char* byte = reinterpret_cast<unsigned char*>(o + 1);
  for (size_t i = sizeof *o; i < s->elem_bytes; ++i, ++byte) {
    if (*byte != kFreedByte) MallocFatal("object was written to after its free", o);
  }
  const uint64_t bit = uint64_t{1} << (s->IndexOf(p) % 64);
  // A debugging aid that orders nothing: relaxed.
  if ((s->live[s->IndexOf(p) / 64].fetch_or(bit, std::memory_order_relaxed) & bit) != 0) {
    MallocFatal("corrupted free list", o);
  }
}

// Debug builds: o is about to go onto a list.
void MCache::CheckFreed(FreeObject* o) {
  const uintptr_t p = reinterpret_cast<uintptr_t>(o);
  MSpan* s = page_map.Get(p);
  const uint32_t index = s->IndexOf(p);
  if (index >= s->n_elems || s->base + size_t{index} * s->elem_bytes != p) {
    MallocFatal("free of a wrong pointer", o);
  }
  const uint64_t bit = uint64_t{1} << (index % 64);
  if ((s->live[index / 64].fetch_and(~bit, std::memory_order_relaxed) & bit) == 0) {
    MallocFatal("double free", o);
  }
  FillFreed(o, s->elem_bytes);
}

MCache* TryAllocMCache() {
  LockGuard guard(&all_lock);
  MCache* c = mcache_alloc.TryAlloc();
  if (c != nullptr) all_mcaches.PushBack(c);
  return c;
}

MCache* AllocMCache() {
  MCache* c = TryAllocMCache();
  if (c == nullptr) MemExhausted("a cache of free objects", sizeof(MCache));
  return c;
}

void FreeMCache(MCache* c) {
  GORT_CHECK(c != &mcache0);
  c->Flush();
  LockGuard guard(&all_lock);
  all_mcaches.Remove(c);
  mcache_alloc.Free(c);
}

uint64_t CachedObjects(int span_class) {
  LockGuard guard(&all_lock);
  uint64_t n = mcache0.Cached(span_class) + shared_mcache.Cached(span_class);
  for (MCache* c = all_mcaches.front(); c != nullptr; c = c->next) n += c->Cached(span_class);
  return n + mcentrals[span_class].batched();
}

void ForEachFreeList(void (*f)(FreeObject* first, void* arg),
                     void* arg) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const auto of_cache = [f, arg](const MCache& c) {
    for (int k = 1; k < kTinySpanClass; ++k) f(c.First(k), arg);
  };
  of_cache(mcache0);
  of_cache(shared_mcache);
  for (const MCache* c = all_mcaches.front(); c != nullptr; c = c->next) of_cache(*c);
  for (int k = 1; k < kTinySpanClass; ++k) {
    if (!mcentrals[k].AtRest()) continue;
    mcentrals[k].ForEachBatch([f, arg](FreeObject* first) { f(first, arg); });
    mcentrals[k].ForEachSpan([f, arg](const MSpan& s) { f(s.free_list, arg); });
  }
}

void MCacheForkLock() ABSL_NO_THREAD_SAFETY_ANALYSIS { all_lock.LockForFork(); }
void MCacheForkUnlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { all_lock.UnlockAfterFork(); }

}  // namespace gort::rt
