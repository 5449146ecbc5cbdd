#include "gort/stack/stack.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gtest/gtest.h"

TEST(StackAlone, AllocatesAndFrees) {
  constexpr size_t kBytes = 64 << 10;
  gort::stack::Stack stack = gort::stack::Alloc(kBytes);
  auto lo = reinterpret_cast<uintptr_t>(stack.lo);
  auto hi = reinterpret_cast<uintptr_t>(stack.hi);
  ASSERT_GE(hi - lo, kBytes);
  std::memset(reinterpret_cast<void*>(hi - kBytes / 2), 0x5a, kBytes / 2);
  gort::stack::Free(stack);
}
