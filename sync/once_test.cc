// Who calls the function, who waits for it, and what counts as done.
//
//   | Do, when   | the function is | and Do returns                    |
//   | not begun  | called          | when it has, or with what it threw |
//   | in the middle | not called   | when the other's has ended, well or not |
//   | done       | not called      | at once                           |
#include "gort/sync/once.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;

constexpr int kRounds = GORT_TEST_SANITIZED ? 1'000 : 20'000;

constinit Once global;  // usable before any constructor has run

TEST(OnceTest, RunsOnce) {
  InGort([] {
    Procs p(4);
    for (int i = 0; i < kRounds / 10; ++i) {
      Once once;
      int calls = 0;
      std::atomic<int> early{0};
      WaitGroup wg;
      for (int g = 0; g < 6; ++g) {
        wg.Go([&] {
          once.Do([&] { ++calls; });
          if (calls != 1) ++early;
        });
      }
      wg.Wait();
      ASSERT_EQ(calls, 1);
      ASSERT_EQ(early, 0);
    }
  });
}

TEST(OnceTest, OthersWaitForTheFirst) {
  InGort([] {
    Once once;
    WaitGroup gate;
    gate.Add(1);
    Probe first([&] { once.Do([&] { gate.Wait(); }); });
    Probe second([&] { once.Do([] { FAIL(); }); });
    EXPECT_EQ(second.Waits(), "sync.Once.Do");
    gate.Done();
    EXPECT_TRUE(first.Finish());
    EXPECT_TRUE(second.Finish());
  });
}

TEST(OnceTest, AThrowCountsAsDone) {
  InGort([] {
    Once once;
    EXPECT_THROW(once.Do([] { throw std::runtime_error("x"); }), std::runtime_error);
    once.Do([] { FAIL(); });
  });
}

TEST(OnceTest, OthersWaitForAThrowToo) {
  InGort([] {
    Once once;
    WaitGroup gate;
    gate.Add(1);
    Probe first([&] {
      EXPECT_THROW(once.Do([&] {
        gate.Wait();
        throw std::runtime_error("x");
      }),
                   std::runtime_error);
    });
    Probe second([&] { once.Do([] { FAIL(); }); });
    EXPECT_EQ(second.Waits(), "sync.Once.Do");
    gate.Done();
    EXPECT_TRUE(first.Finish());
    EXPECT_TRUE(second.Finish());
  });
}

TEST(OnceTest, AThreadWaitsForAGoroutine) {
  std::thread thread;
  InGort([&] {
    static Once once;
    WaitGroup gate;
    gate.Add(1);
    int value = 0;
    Probe first([&] {
      once.Do([&] {
        gate.Wait();
        value = 7;
      });
    });
    std::atomic<bool> asks{false};
    std::atomic<int> seen{-1};
    thread = AttachedThread([&] {
      asks = true;
      once.Do([] { FAIL(); });
      seen = value;
    });
    EXPECT_TRUE(testing::Eventually([&] { return asks.load(); }));
    EXPECT_EQ(seen, -1);
    gate.Done();
    EXPECT_TRUE(testing::Eventually([&] { return seen == 7; }));
    EXPECT_TRUE(first.Finish());
    thread.join();
  });
}

TEST(OnceTest, TakesWhatCanBeCalled) {
  InGort([] {
    int n = 0;
    global.Do([&n, own = std::make_unique<int>(3)]() mutable {
      n = *own;
      return 5;  // ignored
    });
    EXPECT_EQ(n, 3);
    // One inside of another.
    Once outer, inner;
    outer.Do([&] { inner.Do([&] { ++n; }); });
    EXPECT_EQ(n, 4);
  });
}

}  // namespace
}  // namespace gort
