#include "gort/stack/internal/stack_pool.h"

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/base/list.h"
#include "gort/base/throw.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/fixalloc.h"
#include "gort/stack/internal/stack_large.h"

namespace gort::rt {

// Guarded by pool.lock, but for order and base: const after init.
struct StackSpan : ListNode<StackSpan> {
  uintptr_t base = 0;
  int order = 0;
  int n_used = 0;
  SmallStack* free = nullptr;
};

namespace {

struct Pool {
  Mutex lock{LockRank::kStackpool};
  List<StackSpan> with_free[kStackOrders] ABSL_GUARDED_BY(lock);
  TypedFixAlloc<StackSpan> records ABSL_GUARDED_BY(lock);
};
constinit Pool pool;

constexpr uintptr_t kCanaryWord = static_cast<uintptr_t>(0x5ca1ab1e0ddba115ULL);

StackSpan* NewSpan(int order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool.lock) {
  StackBounds b;
  if (LargeTake(kSpanOrder, 1, &b, nullptr) == 0) return nullptr;
  StackSpan* s = pool.records.Alloc();
  s->base = b.lo;
  s->order = order;
  uintptr_t at = b.hi;
  do {
    at -= SmallStackBytes(order);
    SmallStack* stack = reinterpret_cast<SmallStack*>(at);
    stack->next = s->free;
    s->free = stack;
  } while (at > b.lo);
  StackChunk* c = ChunkOf(b.lo);
  c->span[c->IndexOf(b.lo)] = s;
  pool.with_free[order].PushFront(s);
  return s;
}

StackSpan* SpanOf(uintptr_t addr) {
  StackChunk* c = ChunkOf(addr);
  StackSpan* s = c == nullptr || c->order != kSpanOrder ? nullptr : c->span[c->IndexOf(addr)];
  if (s == nullptr) Throw("stackfree: not a small stack");
  return s;
}

}  // namespace

SmallStack* PoolTake(int order) {
  LockGuard guard(&pool.lock);
  StackSpan* s = pool.with_free[order].front();
  if (s == nullptr) s = NewSpan(order);
  if (s == nullptr) return nullptr;
  SmallStack* stack = s->free;
  s->free = stack->next;
  ++s->n_used;
  if (s->free == nullptr) pool.with_free[order].Remove(s);
  return stack;
}

void PoolGive(SmallStack* stack) {
  LockGuard guard(&pool.lock);
  StackSpan* s = SpanOf(reinterpret_cast<uintptr_t>(stack));
  if (s->free == nullptr) pool.with_free[s->order].PushFront(s);
  stack->next = s->free;
  s->free = stack;
  if (--s->n_used > 0) return;
  // Nobody uses the span: its memory may go back to the OS with that of other free stacks.
  pool.with_free[s->order].Remove(s);
  StackChunk* c = ChunkOf(s->base);
  c->span[c->IndexOf(s->base)] = nullptr;
  StackBounds b{s->base, s->base + kStackCacheBytes};
  pool.records.Free(s);
  LargeGive(&b, 1);
}

StackBounds SmallBounds(SmallStack* s, int order) {
  uintptr_t base = reinterpret_cast<uintptr_t>(s);
  uintptr_t* words = reinterpret_cast<uintptr_t*>(base);
  for (size_t i = 0; i < kSmallCanaryBytes / sizeof *words; ++i) words[i] = kCanaryWord;
  return {base + kSmallCanaryBytes, base + SmallStackBytes(order)};
}

SmallStack* SmallOf(const StackBounds& b) {
  uintptr_t base = b.lo - kSmallCanaryBytes;
  StackSpan* s = SpanOf(base);
  if (b.hi != base + SmallStackBytes(s->order) || base % SmallStackBytes(s->order) != 0) {
    Throw("stackfree: not a small stack");
  }
  return reinterpret_cast<SmallStack*>(base);
}

// A stack in use keeps its span, so that span and order may be read without the lock.
int SmallOrder(const StackChunk* c, uintptr_t lo) { return c->span[c->IndexOf(lo)]->order; }

GORT_NO_ASAN GORT_NO_TSAN bool SmallCanaryIntact(uintptr_t lo) {
  const uintptr_t* words = reinterpret_cast<const uintptr_t*>(lo - kSmallCanaryBytes);
  for (size_t i = 0; i < kSmallCanaryBytes / sizeof *words; ++i) {
    if (words[i] != kCanaryWord) return false;
  }
  return true;
}

}  // namespace gort::rt
