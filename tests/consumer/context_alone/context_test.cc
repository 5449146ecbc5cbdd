#include "gort/context/context.h"

#include <chrono>
#include <string>

#include "gort/context/cancel_scope.h"
#include "gort/context/stop_token.h"
#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(ContextAlone, CancelReachesTheChild) {
  int result = gort::Run([] {
    auto [parent, cancel] = gort::WithCancel(gort::Background());
    auto child = gort::WithTimeout(parent, std::chrono::hours(1)).first;
    gort::Go([cancel = cancel] { cancel(); });
    child.Done().Recv();
    return absl::IsCancelled(child.Err()) ? 1 : 2;
  });
  EXPECT_EQ(result, 1);
}

TEST(ContextAlone, Deadline) {
  gort::Run([] {
    auto [ctx, cancel] = gort::WithTimeout(gort::Background(), absl::Milliseconds(5));
    ctx.Done().Recv();
    EXPECT_EQ(ctx.Err().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(ctx.Deadline().has_value());
    return 0;
  });
}

inline constexpr gort::ContextKey<std::string> kUser("user");

// Without a runtime, too: only what waits for a time needs one.
TEST(ContextAlone, Values) {
  gort::Context ctx = gort::WithValue(gort::Background(), kUser, "gopher");
  auto [child, cancel] = gort::WithCancel(ctx);
  ASSERT_NE(child.Value(kUser), nullptr);
  EXPECT_EQ(*child.Value(kUser), "gopher");
  cancel();
  EXPECT_FALSE(child.Err().ok());
  EXPECT_TRUE(ctx.Err().ok());
}

TEST(ContextAlone, ScopesAndStopTokens) {
  gort::Run([] {
    gort::Context kept;
    std::stop_source source;
    {
      gort::CancelScope scope(gort::WithStopToken(gort::Background(), source.get_token()));
      kept = scope.context();
      EXPECT_TRUE(gort::StopToken(kept).stop_possible());
    }
    EXPECT_FALSE(kept.Err().ok());
    return 0;
  });
}
