// Sleeping with the whole runtime. How exactly it wakes is for //bench:sleep_accuracy; here a
// sleep must not end early, must end, and must not hold anybody up.
#include "gort/timer/sleep.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/clock.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gort/timer/testing/latch.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using rt::Gosched;
using rt::Nanotime;
using testing::InGort;
using testing::Latch;

const int kSleepers = gort::testing::Slow() ? 10'000 : 200'000;

// Runs f as a goroutine with n Ps.
void RunWith(int procs, void (*f)()) {
  InGort([=] {
    int before = rt::GoMaxProcs(procs);
    f();
    rt::GoMaxProcs(before);
  });
}

class Sleeping : public ::testing::TestWithParam<int> {};

TEST_P(Sleeping, LastsAtLeastAsLongAsAsked) {
  RunWith(GetParam(), [] {
    for (int64_t ns : {1, 1000, 50'000, 999'999, 1'000'000, 3'000'001}) {
      int64_t before = Nanotime();
      Sleep(absl::Nanoseconds(ns));
      EXPECT_GE(Nanotime() - before, ns);
    }
  });
}

TEST_P(Sleeping, NothingToWaitForReturnsAtOnce) {
  RunWith(GetParam(), [] {
    Sleep(absl::ZeroDuration());
    Sleep(absl::Nanoseconds(-1));
    Sleep(-absl::InfiniteDuration());
    Sleep(absl::Nanoseconds(1) / 8);
    Sleep(std::chrono::hours::min());
    Sleep(std::chrono::duration<double>(-1e300));
    Sleep(std::chrono::seconds(0));
  });
}

// One P, held until every sleep is over: all wake in one check, in the order of their times.
TEST_P(Sleeping, ThoseThatAreOverTogetherWakeInOrder) {
  RunWith(1, [] {
    constexpr int kN = 41;       // the last of them is alone in its batch
    std::vector<int64_t> order;  // only one goroutine runs at a time
    int64_t last = 0;
    Latch latch(kN);
    std::atomic<int> asleep{0};
    for (int i = kN; i-- > 0;) {
      Go([&, i] {
        asleep.fetch_add(1);
        Sleep(absl::Milliseconds(5) + absl::Microseconds(100 * i));
        order.push_back(rt::CurrentG()->sleep_when);
        latch.Done();
      });
    }
    while (asleep.load() < kN) Gosched();
    const int64_t over = Nanotime() + 10'000'000;
    while (last < over) last = Nanotime();
    latch.Wait();
    ASSERT_EQ(order.size(), kN);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  });
}

TEST_P(Sleeping, ManyAtOnce) {
  RunWith(GetParam(), [] {
    auto latch = std::make_unique<Latch>(kSleepers);
    std::atomic<int> early{0};
    rt::FastRand rand(42);
    for (int i = 0; i < kSleepers; ++i) {
      int64_t ns = 1'000'000 + rand.N(200'000'000);
      Go([ns, &early, latch = latch.get()] {
        int64_t before = Nanotime();
        Sleep(absl::Nanoseconds(ns));
        if (Nanotime() - before < ns) early.fetch_add(1);
        latch->Done();
      });
    }
    latch->Wait();
    EXPECT_EQ(early.load(), 0);
  });
}

// A goroutine that never blocks but yields does not keep others from waking, nor them from it.
TEST_P(Sleeping, BesideABusyGoroutine) {
  RunWith(GetParam(), [] {
    std::atomic<bool> stop{false};
    std::atomic<int64_t> yields{0};
    Latch busy(1);
    Go([&] {
      while (!stop.load()) {
        yields.fetch_add(1);
        Gosched();
      }
      busy.Done();
    });
    for (int i = 0; i < 20; ++i) Sleep(absl::Milliseconds(1));
    stop.store(true);
    busy.Wait();
    EXPECT_GT(yields.load(), 0);
  });
}

// Ps come and go under the sleepers; their timers move along.
TEST_P(Sleeping, WhileTheNumberOfPsChanges) {
  RunWith(GetParam(), [] {
    constexpr int kN = 2000;
    auto latch = std::make_unique<Latch>(kN);
    rt::FastRand rand(9);
    for (int i = 0; i < kN; ++i) {
      int64_t ns = rand.N(60'000'000);
      Go([ns, latch = latch.get()] {
        Sleep(absl::Nanoseconds(ns));
        latch->Done();
      });
    }
    for (int i = 0; i < 30; ++i) {
      rt::GoMaxProcs(1 + static_cast<int>(rand.N(6)));
      Sleep(absl::Microseconds(500));
    }
    latch->Wait();
  });
}

INSTANTIATE_TEST_SUITE_P(Procs, Sleeping, ::testing::Values(1, 4));

TEST(SleepingThread, ThatIsNoGoroutine) {
  int64_t before = Nanotime();
  Sleep(std::chrono::microseconds(300));
  EXPECT_GE(Nanotime() - before, 300'000);
  std::atomic<int> n{0};
  InGort([&] {
    Latch latch(4);
    testing::ThreadsToCome threads_to_come;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 50; ++k) Sleep(absl::Microseconds(20));
        n.fetch_add(1);
        latch.Done();
      });
    }
    latch.Wait();
    for (auto& t : threads) t.join();
  });
  EXPECT_EQ(n.load(), 4);
}

TEST(SleepConversions, Saturate) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  using rt::SaturatedNanoseconds;
  EXPECT_EQ(SaturatedNanoseconds(absl::InfiniteDuration()), kMax);
  EXPECT_EQ(SaturatedNanoseconds(-absl::InfiniteDuration()), kMin);
  EXPECT_EQ(SaturatedNanoseconds(absl::Hours(1)), 3'600'000'000'000);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::hours::max()), kMax);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::hours::min()), kMin);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::nanoseconds::max()), kMax);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::milliseconds(7)), 7'000'000);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::duration<double>(1e-6)), 1000);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::duration<double>(1e300)), kMax);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::duration<float>(NAN)), 0);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::duration<float, std::ratio<86400>>(0.5F)),
            43'200'000'000'000);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::days(-1)), -86'400'000'000'000);
  EXPECT_EQ(SaturatedNanoseconds(std::chrono::duration<uint64_t, std::nano>::max()), kMax);
  using Third = std::chrono::duration<int64_t, std::ratio<1, 3>>;
  EXPECT_EQ(SaturatedNanoseconds(Third(2)), 666'666'666);
  EXPECT_EQ(SaturatedNanoseconds(Third(27'000'000'000)), 9'000'000'000'000'000'000);
  EXPECT_EQ(SaturatedNanoseconds(Third::max()), kMax);
}

TEST(SleepConversions, DurationsOfChrono) {
  using rt::SaturatedDuration;
  EXPECT_EQ(SaturatedDuration(std::chrono::days(1)), absl::Hours(24));
  EXPECT_EQ(SaturatedDuration(std::chrono::duration<double>(0.25)), absl::Milliseconds(250));
  EXPECT_EQ(SaturatedDuration(std::chrono::years::max()), absl::InfiniteDuration());
  EXPECT_EQ(SaturatedDuration(std::chrono::hours::min()), -absl::InfiniteDuration());
}

#if !GORT_ASAN && !GORT_TSAN
// With nothing to do but wait for far timers the process sleeps.
TEST(SleepingProcess, UsesNoCpu) {
  InGort([] {
    static Latch never(1);  // its goroutine outlives the test
    Go([] {
      Sleep(absl::Hours(1));
      never.Done();
    });
    Sleep(absl::Milliseconds(50));  // threads that were busy before go to sleep
    rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    Sleep(absl::Milliseconds(500));
    getrusage(RUSAGE_SELF, &after);
    auto us = [](const rusage& r) {
      return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1'000'000 + r.ru_utime.tv_usec +
             r.ru_stime.tv_usec;
    };
    EXPECT_LT(us(after) - us(before), 50'000);
    EXPECT_LT(after.ru_nvcsw - before.ru_nvcsw, 100);
  });
}
#endif

}  // namespace
}  // namespace gort
