#include "gort/stack/internal/stack_alloc.h"

#include <algorithm>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/base/throw.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/fixalloc.h"
#include "gort/platforms/mem.h"
#include "gort/stack/internal/overflow_report.h"
#include "gort/stack/internal/stack_chunk.h"
#include "gort/stack/internal/stack_large.h"
#include "gort/stack/internal/stack_pool.h"

#if GORT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace gort::rt {

namespace {

constexpr int kCachedDefault = 32;  // default-size stacks in a P's cache
constexpr int kLargeDefaultOrder = Log2Floor(kDefaultStack / kMinLargeStack);
static_assert(kDefaultStack == kMinLargeStack << kLargeDefaultOrder);

}  // namespace

// Owner P only. Small orders hold kStackCacheBytes each, refilled and released by half; so are the
// stacks of default size, by number.
struct StackCache {
  struct Small {
    SmallStack* list = nullptr;
    size_t bytes = 0;
  };
  Small small[kStackOrders];
  StackBounds dflt[kCachedDefault];
  int n_dflt = 0;
  int n_cold = 0;  // so many of those, from the lowest, may not have been in use yet
};

namespace {

struct Caches {
  Mutex lock{LockRank::kStackpool};
  TypedFixAlloc<StackCache> records ABSL_GUARDED_BY(lock);
};
constinit Caches caches;

// Moves stacks from the pool until the order's cache is half full. Go: stackcacherefill
void RefillSmall(StackCache* cache, int order) {
  StackCache::Small& small = cache->small[order];
  while (small.bytes < kStackCacheBytes / 2) {
    SmallStack* s = PoolTake(order);
    if (s == nullptr) return;
    s->next = small.list;
    small.list = s;
    small.bytes += SmallStackBytes(order);
  }
}

// Moves stacks back until `keep` bytes are left. Go: stackcacherelease
void ReleaseSmall(StackCache* cache, int order, size_t keep) {
  StackCache::Small& small = cache->small[order];
  while (small.bytes > keep) {
    SmallStack* s = small.list;
    small.list = s->next;
    small.bytes -= SmallStackBytes(order);
    PoolGive(s);
  }
}

StackBounds AllocSmall(int order, StackCache* cache) {
  SmallStack* s;
  if (cache == nullptr) {
    s = PoolTake(order);
  } else {
    StackCache::Small& small = cache->small[order];
    if (small.list == nullptr) RefillSmall(cache, order);
    s = small.list;
    if (s != nullptr) {
      small.list = s->next;
      small.bytes -= SmallStackBytes(order);
    }
  }
  return s == nullptr ? StackBounds{} : SmallBounds(s, order);
}

void FreeSmall(StackBounds b, const StackChunk* c, StackCache* cache) {
  SmallStack* s = SmallOf(b);
  if (!SmallCanaryIntact(b.lo)) StackOverflowFatal(nullptr, StackReservationOf(b), b, 0, nullptr);
  if (cache == nullptr) return PoolGive(s);
  int order = SmallOrder(c, b.lo);
  StackCache::Small& small = cache->small[order];
  if (small.bytes >= kStackCacheBytes) ReleaseSmall(cache, order, kStackCacheBytes / 2);
  s->next = small.list;
  small.list = s;
  small.bytes += SmallStackBytes(order);
}

GORT_COLD void RefillDefault(StackCache* cache) {
  int used = 0;
  cache->n_dflt = LargeTake(kLargeDefaultOrder, kCachedDefault / 2, cache->dflt, &used);
  cache->n_cold = cache->n_dflt - used;
  std::reverse(cache->dflt, cache->dflt + cache->n_dflt);  // the used ones come first
}

StackBounds AllocLarge(int order, StackCache* cache) {
  StackBounds b;
  if (cache == nullptr || order != kLargeDefaultOrder) {
    LargeTake(order, 1, &b, nullptr);
    return b;
  }
  if (cache->n_dflt == 0) RefillDefault(cache);
  if (cache->n_dflt > 0) b = cache->dflt[--cache->n_dflt];
  if (cache->n_cold > cache->n_dflt) cache->n_cold = cache->n_dflt;
  return b;
}

void FreeLarge(StackBounds b, const StackChunk* c, StackCache* cache) {
  uint32_t slot = c->IndexOf(b.lo);
  if (slot < c->first || slot >= c->end || c->Bounds(slot).lo != b.lo) {
    Throw("stackfree: not a stack");
  }
  if (!LargeCanaryIntact(c, slot))
    StackOverflowFatal(nullptr, StackReservationOf(b), b, 0, nullptr);
  if (cache == nullptr || c->order != kLargeDefaultOrder) return LargeGive(&b, 1);
  if (cache->n_dflt == kCachedDefault) {
    // The older half goes: what was freed last is warm.
    constexpr int kHalf = kCachedDefault / 2;
    LargeGive(cache->dflt, kHalf);
    for (int i = 0; i < kHalf; ++i) cache->dflt[i] = cache->dflt[kHalf + i];
    cache->n_dflt = kHalf;
    cache->n_cold = std::max(cache->n_cold - kHalf, 0);
  }
  cache->dflt[cache->n_dflt++] = b;
}

// Unpoisons what AddressSanitizer poisoned for frames that never returned, such as those of a
// goroutine's last switch.
void Unpoison(StackBounds b) {
#if GORT_ASAN
  // Looking first keeps shadow pages of untouched stack untouched.
  void* lo = reinterpret_cast<void*>(b.lo);
  if (void* bad = __asan_region_is_poisoned(lo, b.hi - b.lo); bad != nullptr) {
    __asan_unpoison_memory_region(bad, b.hi - reinterpret_cast<uintptr_t>(bad));
  }
#endif
  (void)b;
}

}  // namespace

void StackInit() { LargeInit(); }

StackBounds StackAlloc(size_t bytes, StackCache* cache) {
  if (bytes == 0) bytes = kDefaultStack;
  if (bytes > kMaxLargeStack) return {};
  if (bytes <= kMaxSmallStack) {
    return AllocSmall(bytes <= kFixedStack ? 0 : Log2Ceil(bytes) - Log2Floor(kFixedStack), cache);
  }
  const size_t least = LeastLargeStack(PageSize());
  if (bytes < least) bytes = least;
  return AllocLarge(Log2Ceil(bytes) - Log2Floor(kMinLargeStack), cache);
}

void StackFree(StackBounds stack, StackCache* cache) {
  StackChunk* c = ChunkOf(stack.lo);
  if (c == nullptr) Throw("stackfree: not a stack");
  Unpoison(stack);
  if (c->order == kSpanOrder) return FreeSmall(stack, c, cache);
  FreeLarge(stack, c, cache);
}

size_t StackReservationOf(StackBounds stack) {
  StackChunk* c = ChunkOf(stack.lo);
  if (c == nullptr) return 0;
  return c->order == kSpanOrder ? SmallStackBytes(SmallOrder(c, stack.lo)) : c->slot_bytes;
}

StackCache* AllocStackCache() {
  LockGuard guard(&caches.lock);
  return caches.records.Alloc();
}

void StackCacheFlush(StackCache* cache) {
  for (int order = 0; order < kStackOrders; ++order) ReleaseSmall(cache, order, 0);
  LargeGive(cache->dflt, cache->n_dflt);
  cache->n_dflt = 0;
  cache->n_cold = 0;
}

bool StackIsWarm(const StackCache* cache) { return cache->n_dflt > cache->n_cold; }

int64_t StackScavenge(int64_t max_bytes, int64_t older_than_ns) {
  return LargeScavenge(max_bytes, older_than_ns);
}

bool StackSweep(int64_t older_than_ns, int64_t deadline, int64_t* bytes) {
  return LargeSweep(older_than_ns, deadline, bytes);
}

int64_t StackScavengeDebt() { return LargeDirtyBytes(); }

bool StackCanaryOk(const G* gp) {
  const StackChunk* c = ChunkOf(gp->stack.lo);
  if (c == nullptr) return true;
  // gp has parked with its stack pointer in the guard. A pointer further down may be on a stack
  // that the program has made.
  const uintptr_t sp = gp->sched.sp;
  if (sp < gp->stack.lo && gp->stack.lo - sp <= c->guard_bytes) return false;
  if (c->order == kSpanOrder) return SmallCanaryIntact(gp->stack.lo);
  return LargeCanaryIntact(c, c->IndexOf(gp->stack.lo));
}

bool StackFind(uintptr_t addr, StackInfo* out) {
  const StackChunk* c = ChunkOf(addr);
  if (c == nullptr || c->order == kSpanOrder) return false;
  if (addr < (c->gap != 0 ? c->gap : c->Slot(c->first))) return false;
  const uint32_t slot = addr < c->Slot(c->first) ? c->first : c->IndexOf(addr);
  if (slot >= c->end) return false;
  out->stack = c->Bounds(slot);
  out->guard = c->guard[slot];
  out->in_guard = addr < out->stack.lo;
  return true;
}

StackStats ReadStackStats() {
  StackStats s;
  s.guards_kernel = GuardCount(GuardKind::kKernel);
  s.guards_mprotect = GuardCount(GuardKind::kMprotect);
  s.guards_canary = GuardCount(GuardKind::kCanary);
  s.mprotect_budget = GuardMprotectBudget();
  s.reserved_bytes = StackReservedBytes();
  s.cached_bytes = LargeDirtyBytes();
  s.inuse_bytes = LargeInuseBytes();
  s.released_bytes = LargeReleasedBytes();
  return s;
}

}  // namespace gort::rt
