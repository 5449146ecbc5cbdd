// stack/internal/stack_pool.h: small stacks (below 32 KiB), span lists per order.
// What      spans of kStackCacheBytes cut into equal stacks; per order, the spans with a free one.
// Guard     a page each would cost more than the stack. The lowest kSmallCanaryBytes of a small
//           stack hold a pattern instead, checked when it is freed and by StackCanaryOk. They are
//           for callers who know what they run; goroutines get large ones.
// Layer     5. Package-internal; thread-safe. Takes the pool's lock, then the large lock.
// Go        stackpool, stackpoolalloc, stackpoolfree (stack.go)
#ifndef GORT_STACK_INTERNAL_STACK_POOL_H_
#define GORT_STACK_INTERNAL_STACK_POOL_H_

#include <cstddef>
#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/stack/internal/stack_chunk.h"
#include "gort/stack/internal/stack_layout.h"

namespace gort::rt {

// A free small stack; lies at its low end, where the canary is while it is in use.
struct SmallStack {
  SmallStack* next;
};

constexpr size_t SmallStackBytes(int order) { return kFixedStack << order; }

// One free stack of an order; null: out of address space. Go: stackpoolalloc
SmallStack* PoolTake(int order);
// Back to its span; a span that is whole again goes back to the free stacks. Go: stackpoolfree
void PoolGive(SmallStack* s);

// Turns a free stack into one in use, canary written / the other way round. order of a stack in
// use: SmallOrder. Fatal for what is not a small stack.
StackBounds SmallBounds(SmallStack* s, int order);
SmallStack* SmallOf(const StackBounds& b);
int SmallOrder(const StackChunk* c, uintptr_t lo);
bool SmallCanaryIntact(uintptr_t lo);

}  // namespace gort::rt

#endif  // GORT_STACK_INTERNAL_STACK_POOL_H_
