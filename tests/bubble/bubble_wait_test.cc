// Waits that end with a context, results and scopes, in virtual time and under many schedules.
#include <gtest/gtest.h>

#include <mutex>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/context/cancel_scope.h"
#include "gort/context/context.h"
#include "gort/sync/sync.h"
#include "gort/testing/testing.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer_scope.h"

#ifdef __clang__
// A lock that a Status says was taken is outside of what the analysis understands.
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

namespace gort {
namespace {

TEST(BubbleWaitTest, DeadlinesEndWaitsAtTheirTimes) {
  testing::Run([] {
    const absl::Time begin = Now();
    const auto expired = absl::DeadlineExceededError("context deadline exceeded");
    Mutex mu;
    mu.Lock();
    EXPECT_EQ(mu.Lock(CancelScope(Background(), absl::Hours(1)).context()), expired);
    EXPECT_EQ(Now() - begin, absl::Hours(1));
    Cond cond(mu);
    EXPECT_EQ(cond.Wait(CancelScope(Background(), absl::Hours(1)).context()), expired);
    WaitGroup wg;
    wg.Add(1);
    EXPECT_EQ(wg.Wait(CancelScope(Background(), absl::Hours(1)).context()), expired);
    Semaphore none(0);
    EXPECT_EQ(none.Acquire(CancelScope(Background(), absl::Hours(1)).context()), expired);
    Future<int> f = Spawn([] {
      Sleep(absl::Hours(24));
      return 1;
    });
    EXPECT_EQ(f.Wait(CancelScope(Background(), absl::Hours(1)).context()), expired);
    EXPECT_EQ(Now() - begin, absl::Hours(5));
    EXPECT_EQ(f.Get(), 1);
    EXPECT_EQ(Now() - begin, absl::Hours(28));
    mu.Unlock();
  });
}

TEST(BubbleWaitTest, ScopesEndInVirtualTime) {
  testing::Run([] {
    const absl::Time begin = Now();
    int ticks = 0;
    {
      CancelScope limit(Background(), absl::Minutes(10));
      TaskGroup group(limit.context());
      TickerScope ticker(absl::Minutes(1));
      group.Go([&](const Context& ctx) {
        while (Select(OnRecv(ctx.Done()), OnRecv(ticker.C())) == 1) ++ticks;
        return ctx.Err();
      });
      AfterFuncScope fails(absl::Minutes(5) + absl::Seconds(30),
                           [&] { group.Go([] { return absl::AbortedError("now"); }); });
      EXPECT_EQ(group.Wait(), absl::AbortedError("now"));
    }
    EXPECT_EQ(Now() - begin, absl::Minutes(5) + absl::Seconds(30));
    EXPECT_EQ(ticks, 5);
  });
}

// A lock handed over, given up and waited for, in many orders.
TEST(BubbleWaitTest, NoScheduleLosesALock) {
  testing::Explore(300, [] {
    Mutex mu;
    int inside = 0;
    {
      TaskGroup group;
      for (int i = 0; i < 4; ++i) {
        group.Go([&] {
          std::lock_guard l(mu);
          EXPECT_EQ(++inside, 1);
          Sleep(absl::Microseconds(1));
          --inside;
        });
        group.Go([&] {
          CancelScope scope(Background(), absl::Microseconds(2));
          if (!mu.Lock(scope.context()).ok()) return;
          EXPECT_EQ(++inside, 1);
          Sleep(absl::Microseconds(1));
          --inside;
          mu.Unlock();
        });
      }
      EXPECT_TRUE(group.Wait().ok());
    }
    EXPECT_TRUE(mu.TryLock());
    mu.Unlock();
  });
}

TEST(BubbleWaitTest, NoScheduleLosesASignalOrAResult) {
  testing::Explore(300, [] {
    Mutex mu;
    Cond cond(mu);
    bool first = false;
    bool second = false;
    int waiting = 0;
    WaitGroup wg;
    auto [ctx, cancel] = WithCancel(Background());
    wg.Go([&, ctx = ctx] {
      std::lock_guard l(mu);
      ++waiting;
      first = cond.Wait(ctx).ok();
    });
    wg.Go([&] {
      std::lock_guard l(mu);
      ++waiting;
      cond.Wait();
      second = true;
    });
    testing::Wait();
    EXPECT_EQ(waiting, 2);
    Future<void> cancels = Spawn([cancel = cancel] { cancel(); });
    cond.Signal();
    cancels.Get();
    testing::Wait();
    EXPECT_NE(first, second) << "one of them has it";
    cond.Signal();
    wg.Wait();
    EXPECT_TRUE(second);
  });
}

}  // namespace
}  // namespace gort
