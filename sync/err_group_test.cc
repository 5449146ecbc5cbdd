// ErrGroup: the first error, its context, the limit.
#include "gort/sync/err_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/context/context.h"
#include "gort/proc/proc.h"
#include "gort/proc/sched_seed.h"
#include "gort/sync/testing/ends_late.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::EndsLate;
using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

TEST(ErrGroupTest, WaitsForAllAndReturnsTheFirstError) {
  InGort([] {
    ErrGroup g;
    EXPECT_TRUE(g.Wait().ok()) << "of none";
    std::atomic<int> ran{0};
    Chan<Unit> first = MakeChan<Unit>();
    ErrGroup h;
    for (int i = 0; i < 100; ++i) {
      h.Go([&] {
        ++ran;
        return absl::OkStatus();
      });
    }
    h.Go([&] {
      first.Recv();
      return absl::AbortedError("second");
    });
    h.Go([&] { return absl::InternalError("first"); });
    h.Go([&] { ++ran; });  // returns nothing
    EXPECT_TRUE(Eventually([&] { return !h.Ctx().Err().ok(); }));
    first.Close();
    EXPECT_EQ(h.Wait(), absl::InternalError("first"));
    EXPECT_EQ(ran, 101);
    EXPECT_EQ(h.Wait(), absl::InternalError("first")) << "again";
  });
}

TEST(ErrGroupTest, AResultThatBecomesAStatusOnlyAsAnRvalueCounts) {
  InGort([] {
    struct Result {
      operator absl::Status() && {  // NOLINT(google-explicit-constructor): as builders of them do
        return absl::InternalError("built");
      }
    };
    ErrGroup g;
    g.Go([] { return Result(); });
    EXPECT_EQ(g.Wait(), absl::InternalError("built"));
  });
}

TEST(ErrGroupTest, FirstErrorCancelsItsContext) {
  InGort([] {
    auto [parent, cancel] = WithCancel(Background());
    auto [g, ctx] = ErrGroup::WithContext(parent);
    EXPECT_EQ(ctx, g.Ctx());
    for (int i = 0; i < 10; ++i) {
      g.Go([ctx = ctx] {
        ctx.Done().Recv();
        return ctx.Err();
      });
    }
    EXPECT_TRUE(ctx.Err().ok());
    g.Go([] { return absl::NotFoundError("no such thing"); });
    EXPECT_EQ(g.Wait(), absl::NotFoundError("no such thing"));
    EXPECT_EQ(ctx.Err().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(Cause(ctx), absl::NotFoundError("no such thing"));
    EXPECT_TRUE(parent.Err().ok());

    ErrGroup below(parent);
    below.Go([c = below.Ctx()] {
      c.Done().Recv();
      return c.Err();
    });
    cancel();
    EXPECT_EQ(below.Wait(), absl::CancelledError("context canceled"));

    ErrGroup fine;
    EXPECT_TRUE(fine.Wait().ok());
    EXPECT_EQ(fine.Ctx().Err().code(), absl::StatusCode::kCancelled) << "over";
  });
}

TEST(ErrGroupTest, LimitHolds) {
  InGort([] {
    Procs p(4);
    ErrGroup g;
    g.SetLimit(3);
    std::atomic<int> inside{0}, wrong{0}, ran{0};
    constexpr int kTasks = GORT_TEST_SANITIZED ? 500 : 5'000;
    for (int i = 0; i < kTasks; ++i) {
      g.Go([&] {
        if (++inside > 3) ++wrong;
        if (ran.fetch_add(1) % 8 == 0) Yield();
        --inside;
        return absl::OkStatus();
      });
    }
    EXPECT_TRUE(g.Wait().ok());
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(ran, kTasks);
  });
}

TEST(ErrGroupTest, TryGoAndChangesOfTheLimit) {
  InGort([] {
    ErrGroup g;
    Chan<Unit> go_on = MakeChan<Unit>();
    auto wait = [&] { go_on.Recv(); };
    EXPECT_TRUE(g.TryGo(wait)) << "no limit";
    try {
      g.SetLimit(1);
      ADD_FAILURE();
    } catch (const Panic& e) {
      EXPECT_STREQ(e.what(),
                   "errgroup: modify limit while 1 goroutines in the group are still active");
    }
    go_on.Send({});
    EXPECT_TRUE(g.Wait().ok());
    g.SetLimit(2);
    EXPECT_TRUE(g.TryGo(wait));
    EXPECT_TRUE(g.TryGo(wait));
    EXPECT_FALSE(g.TryGo(wait));
    Probe third([&] { g.Go(wait); });
    EXPECT_EQ(third.Waits(), "chan send");
    go_on.Send({});
    EXPECT_TRUE(third.Finish());
    go_on.Close();
    EXPECT_TRUE(g.Wait().ok());
    g.SetLimit(0);
    EXPECT_FALSE(g.TryGo(wait));
    g.SetLimit(-1);
    EXPECT_TRUE(g.TryGo(wait));
    EXPECT_TRUE(g.Wait().ok());
  });
}

// The limit may change as soon as SetLimit does not throw, also while the last one is still ending.
TEST(ErrGroupTest, LimitChangesBesideTheLastToEnd) {
  InGort([] {
    Procs one(1);
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      rt::SetSchedSeed(seed);
      ErrGroup g;
      g.SetLimit(1);
      g.Go([] {});
      EXPECT_TRUE(Eventually([&] {
        try {
          g.SetLimit(2);
          g.SetLimit(3);  // in the first one's memory
          return true;
        } catch (const Panic&) {
          return false;
        }
      }));
      EXPECT_TRUE(g.Wait().ok());
    }
    rt::SetSchedSeed(0);
  });
}

TEST(ErrGroupTest, FunctionsAreGoneWhenWaitReturns) {
  InGort([] {
    ErrGroup g;
    auto p = std::make_unique<std::shared_ptr<int>>(std::make_shared<int>());
    std::weak_ptr<int> watched = *p;
    g.Go([p = std::move(p)] { return absl::OkStatus(); });
    EXPECT_TRUE(g.Wait().ok());
    EXPECT_TRUE(watched.expired());
  });
}

TEST(ErrGroupTest, WhatCannotBeMovedIsGoneWhenWaitReturns) {
  InGort([] {
    Procs one(1);  // a Wait that returns too early goes on at the first yield
    std::atomic<int> alive{0};
    for (int i = 0; i < 100; ++i) {
      ErrGroup g;
      bool slow = false;
      {
        const EndsLate captured(&alive, &slow);
        g.Go([captured] { return absl::OkStatus(); });
      }
      slow = true;
      EXPECT_TRUE(g.Wait().ok());
      ASSERT_EQ(alive.load(), 0);
    }
  });
}

TEST(ErrGroupTest, WhatIsThrownArrivesAtWait) {
  InGort([] {
    ErrGroup g;
    g.Go([ctx = g.Ctx()] {
      ctx.Done().Recv();
      return ctx.Err();
    });
    g.Go([]() -> absl::Status { throw std::runtime_error("thrown"); });
    for (int i = 0; i < 2; ++i) {
      try {
        g.Wait().IgnoreError();
        ADD_FAILURE();
      } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "thrown");
      }
    }
    EXPECT_EQ(Cause(g.Ctx()), absl::UnknownError("thrown"));
    ErrGroup h;
    h.Go([] { throw 17; });
    EXPECT_THROW(h.Wait().IgnoreError(), int);
    EXPECT_FALSE(h.Ctx().Err().ok());
    EXPECT_EQ(Cause(h.Ctx()).code(), absl::StatusCode::kUnknown);
    ErrGroup ends;
    ends.Go([] { rt::Goexit(); });
    EXPECT_TRUE(ends.Wait().ok());
  });
}

TEST(ErrGroupTest, GoTakesOptionsAndArguments) {
  InGort([] {
    ErrGroup g;
    std::atomic<int> sum{0};
    g.Go([&](std::unique_ptr<int> n, int m) { sum += *n + m; }, std::make_unique<int>(1), 2);
    g.Go(
        GoOptions{.name = "named"},
        [&](int n) {
          sum += n;
          return absl::OkStatus();
        },
        4);
    EXPECT_TRUE(g.TryGo([&](int n) { sum += n; }, 8));
    EXPECT_TRUE(g.TryGo(
        GoOptions(), [&](int n) { sum += n; }, 16));
    EXPECT_TRUE(g.Wait().ok());
    EXPECT_EQ(sum, 31);
  });
}

TEST(ErrGroupTest, FromAForeignThread) {
  ErrGroup g(WithTimeout(Background(), absl::Hours(1)).first);
  g.SetLimit(2);
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) {
    g.Go([&] { return ++ran == 50 ? absl::UnknownError("fifty") : absl::OkStatus(); });
  }
  EXPECT_EQ(g.Wait().code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace gort
