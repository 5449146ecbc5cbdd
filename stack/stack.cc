#include "gort/stack/stack.h"

#include "gort/platforms/mem.h"
#include "gort/stack/internal/stack_alloc.h"
#include "gort/stack/internal/stack_layout.h"

namespace gort::stack {

static_assert(kMaxSmall == rt::kMaxSmallStack - rt::kSmallCanaryBytes);

Stack Alloc(size_t bytes, Guard guard) {
  size_t reservation = bytes == 0 ? 0 : rt::StackReservation(bytes, rt::PageSize());
  if (guard == Guard::kCanary && bytes != 0 && bytes <= kMaxSmall) {
    reservation = bytes + rt::kSmallCanaryBytes;
  }
  if (reservation > rt::kMaxLargeStack) return {};
  rt::StackBounds b = rt::StackAlloc(reservation, nullptr);
  return {reinterpret_cast<char*>(b.lo), reinterpret_cast<char*>(b.hi)};
}

void Free(Stack stack) {
  if (!stack) return;
  rt::StackFree({reinterpret_cast<uintptr_t>(stack.lo), reinterpret_cast<uintptr_t>(stack.hi)},
                nullptr);
}

size_t Release() { return static_cast<size_t>(rt::StackScavenge(INT64_MAX, 0)); }

Stats ReadStats() {
  rt::StackStats s = rt::ReadStackStats();
  return {s.guards_kernel, s.guards_mprotect, s.guards_canary, s.reserved_bytes,
          s.inuse_bytes,   s.cached_bytes,    s.released_bytes};
}

}  // namespace gort::stack
