// A cancellation takes no memory, so a CancelScope can end where none is left: this program counts
// every operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "gort/context/cancel_scope.h"
#include "gort/context/context.h"
#include "gort/tests/support/goroutines.h"

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

void* operator new(size_t n) {
  ++allocations;
  if (void* p = malloc(n)) return p;
  throw std::bad_alloc();
}
// Not counted: the runtime uses it when it starts a thread, which may happen at any time.
void* operator new(size_t n, const std::nothrow_t&) noexcept { return malloc(n); }
void operator delete(void* p) noexcept { free(p); }
void operator delete(void* p, size_t) noexcept { free(p); }

namespace gort {
namespace {

using ::gort::testing::InGort;

// The first test of the program: nobody has cancelled a context yet.
TEST(ContextAllocTest, CancelFuncAndErr) {
  InGort([] {
    auto [ctx, cancel] = WithCancel(Background());
    auto [below, cancel_below] = WithCancel(ctx);
    const int64_t before = allocations;
    cancel();
    cancel();
    const bool over = !ctx.Err().ok() && !below.Err().ok() && !Cause(below).ok();
    cancel_below();
    EXPECT_EQ(allocations, before);
    EXPECT_TRUE(over);
  });
}

TEST(ContextAllocTest, EndOfACancelScope) {
  InGort([] {
    Context ctx;
    int64_t before;
    {
      const CancelScope scope;
      ctx = scope.context();
      before = allocations;
    }
    EXPECT_EQ(allocations, before);
    EXPECT_FALSE(ctx.Err().ok());
  });
}

}  // namespace
}  // namespace gort
