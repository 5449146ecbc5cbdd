// Stop tokens into contexts and out of them.
#include "gort/context/stop_token.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "gort/base/rand.h"
#include "gort/context/context.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

inline constexpr ContextKey<int> kKey;

TEST(StopTokenTest, ATokenCancelsAContext) {
  InGort([] {
    std::stop_source source;
    auto [parent, cancel] = WithCancel(Background());
    Context ctx = WithStopToken(parent, source.get_token());
    Context below = WithCancel(ctx).first;
    EXPECT_TRUE(ctx.Err().ok());
    source.request_stop();
    EXPECT_EQ(ctx.Err(), absl::CancelledError("context canceled"));
    EXPECT_FALSE(below.Err().ok());
    EXPECT_TRUE(parent.Err().ok());
    EXPECT_FALSE(WithStopToken(parent, source.get_token()).Err().ok()) << "requested before";

    std::stop_source never;
    Context with_parent = WithStopToken(parent, never.get_token());
    cancel();
    EXPECT_FALSE(with_parent.Err().ok());
    EXPECT_EQ(WithStopToken(Background(), std::stop_token()), Background()) << "no state";
  });
}

TEST(StopTokenTest, AThreadRequestsTheStop) {
  InGort([] {
    std::jthread t([](std::stop_token) {});
    Context ctx = WithStopToken(Background(), t.get_stop_token());
    std::thread requests([&] { t.request_stop(); });
    ctx.Done().Recv();
    requests.join();
    EXPECT_FALSE(ctx.Err().ok());
  });
}

TEST(StopTokenTest, ADroppedContextIsTakenOffItsToken) {
  InGort([] {
    std::stop_source source;
    for (int i = 0; i < 3; ++i) WithStopToken(Background(), source.get_token());
    source.request_stop();
  });
}

// The context's last handle goes in the middle of its own cancellation.
TEST(StopTokenTest, AContextMayGoInItsCallback) {
  InGort([] {
    std::stop_source source;
    std::atomic<bool> ran{false};
    auto ctx = std::make_optional(WithStopToken(Background(), source.get_token()));
    const std::stop_token out = StopToken(*ctx);
    AfterFunc(*ctx, [&ran, kept = *ctx] { ran = true; });
    ctx.reset();
    source.request_stop();
    EXPECT_TRUE(Eventually([&] { return ran.load(); }));
  });
}

TEST(StopTokenTest, AContextStopsAToken) {
  InGort([] {
    auto [ctx, cancel] = WithCancel(Background());
    const std::stop_token token = StopToken(ctx);
    EXPECT_TRUE(token.stop_possible());
    EXPECT_FALSE(token.stop_requested());
    EXPECT_EQ(StopToken(ctx), token);
    EXPECT_EQ(StopToken(WithValue(ctx, kKey, 1)), token) << "of the same canceller";
    std::atomic<int> calls{0};
    std::optional<std::stop_callback<std::function<void()>>> callback;
    callback.emplace(token, [&] {
      Yield();  // may park: it keeps its thread
      ++calls;
      callback.reset();
    });
    cancel();
    EXPECT_TRUE(Eventually([&] { return calls == 1; }));
    EXPECT_TRUE(token.stop_requested());
    EXPECT_TRUE(StopToken(ctx).stop_requested());
    EXPECT_FALSE(StopToken(Background()).stop_possible());
  });
}

TEST(StopTokenTest, ATokenDoesNotKeepItsContext) {
  InGort([] {
    std::stop_token token;
    {
      auto [ctx, cancel] = WithCancel(Background());
      token = StopToken(ctx);
    }
    EXPECT_FALSE(token.stop_possible());
  });
}

TEST(StopTokenTest, RequestsAgainstDroppingAndCancelling) {
  InGort([] {
    Procs p(4);
    rt::FastRand rand(7);
    constexpr int kRounds = GORT_TEST_SANITIZED ? 500 : 3'000;
    for (int i = 0; i < kRounds; ++i) {
      const uint32_t r = rand.Next();
      std::stop_source source;
      auto [parent, cancel] = WithCancel(Background());
      auto ctx = std::make_optional(WithStopToken(parent, source.get_token()));
      const std::stop_token out = StopToken(*ctx);
      std::atomic<int> left{2};
      Go([&, r] {
        for (uint32_t k = 0; k < (r & 3); ++k) Yield();
        source.request_stop();
        --left;
      });
      Go([&, r, c = cancel] {
        for (uint32_t k = 0; k < (r >> 2 & 3); ++k) Yield();
        c();
        --left;
      });
      for (uint32_t k = 0; k < (r >> 4 & 3); ++k) Yield();
      ctx.reset();
      while (left != 0) Yield();
    }
  });
}

}  // namespace
}  // namespace gort
