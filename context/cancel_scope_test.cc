// CancelScope: however the scope is left, its context is cancelled.
#include "gort/context/cancel_scope.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/context/context.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;

static_assert(!std::is_copy_constructible_v<CancelScope>);
static_assert(std::is_nothrow_move_constructible_v<CancelScope>);
static_assert(!std::is_convertible_v<Context, CancelScope>);

TEST(CancelScopeTest, CancelsWhenItEnds) {
  InGort([] {
    Context kept;
    {
      CancelScope scope(Background());
      kept = scope.context();
      EXPECT_TRUE(kept.Err().ok());
      auto captured = [&scope] { return scope.context(); };
      EXPECT_EQ(captured(), kept);
    }
    EXPECT_EQ(kept.Err(), absl::CancelledError("context canceled"));
    try {
      CancelScope scope;
      kept = scope.context();
      throw std::runtime_error("unwinds");
    } catch (const std::runtime_error&) {
      EXPECT_FALSE(kept.Err().ok());
    }
  });
}

TEST(CancelScopeTest, IsCancelledWithItsParentAndByTime) {
  InGort([] {
    CancelScope parent;
    CancelScope child(parent.context());
    CancelScope unaffected;
    parent.Cancel(absl::NotFoundError("why"));
    parent.Cancel();
    EXPECT_EQ(Cause(child.context()), absl::NotFoundError("why"));
    EXPECT_TRUE(unaffected.context().Err().ok());

    const auto expired = absl::DeadlineExceededError("context deadline exceeded");
    CancelScope timeout(Background(), absl::Milliseconds(1));
    timeout.context().Done().Recv();
    EXPECT_EQ(timeout.context().Err(), expired);
    CancelScope chrono(Background(), std::chrono::milliseconds(1));
    chrono.context().Done().Recv();
    EXPECT_EQ(chrono.context().Err(), expired);
    CancelScope past(Background(), absl::UnixEpoch());
    EXPECT_EQ(past.context().Err(), expired);
    CancelScope long_past(Background(), std::chrono::sys_days());
    EXPECT_EQ(long_past.context().Err(), expired);
    const absl::Time later = absl::Now() + absl::Hours(1);
    CancelScope deadline(Background(), later);
    EXPECT_TRUE(deadline.context().Err().ok());
    EXPECT_EQ(deadline.context().Deadline(), later);
  });
}

TEST(CancelScopeTest, MovesWithWhatItCancels) {
  InGort([] {
    CancelScope a;
    const Context of_a = a.context();
    CancelScope b(std::move(a));
    EXPECT_EQ(b.context(), of_a);
    EXPECT_EQ(a.context(), Background());  // NOLINT(bugprone-use-after-move): what is left
    a.Cancel();
    EXPECT_TRUE(of_a.Err().ok());
    CancelScope c;
    const Context of_c = c.context();
    c = std::move(b);
    EXPECT_FALSE(of_c.Err().ok()) << "its scope is over";
    EXPECT_TRUE(of_a.Err().ok());
    CancelScope& same = c;
    c = std::move(same);
    EXPECT_TRUE(of_a.Err().ok());
    c = CancelScope();
    EXPECT_FALSE(of_a.Err().ok());
  });
}

}  // namespace
}  // namespace gort
