// What goroutines are at, what they wait for, and how long.
#include "gort/tests/support/goroutines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/metrics/metrics.h"
#include "gort/platforms/clock.h"
#include "gort/proc/go.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/rwmutex.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/metrics/readings.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using metrics::Read;
using metrics::Sample;
using metrics::Value;

TEST(MetricsTest, GoroutinesAreCountedByStateAndReason) {
  InGort([] {
    const Chan<int> c = MakeChan<int>();
    Mutex mu;
    mu.Lock();
    WaitGroup wg;
    const double receivers = Waiting("chan receive");
    for (int i = 0; i < 5; ++i) wg.Go([c] { c.Recv(); });
    for (int i = 0; i < 3; ++i) {
      wg.Go([&mu] {
        mu.Lock();
        mu.Unlock();
      });
    }
    EXPECT_TRUE(Eventually([&] { return Waiting("chan receive") == receivers + 5; }));
    EXPECT_TRUE(Eventually([] { return Waiting("sync.Mutex.Lock") == 3; }));
    const std::vector<Sample> now = Read();
    double by_reason = 0;
    for (const Sample& s : now) {
      if (s.name == "gort_goroutines_waiting") by_reason += s.value;
    }
    EXPECT_EQ(by_reason, Value(now, "gort_goroutines", "waiting"));
    EXPECT_GE(Value(now, "gort_goroutines", "running"), 1);
    mu.Unlock();
    c.Close();
    wg.Wait();
    EXPECT_EQ(Waiting("sync.Mutex.Lock"), 0);
  });
}

TEST(MetricsTest, SleepersAreTimers) {
  InGort([] {
    const double before = Now("gort_timers");
    WaitGroup wg;
    for (int i = 0; i < 4; ++i) wg.Go([] { Sleep(absl::Milliseconds(200)); });
    EXPECT_TRUE(Eventually([&] { return Waiting("sleep") == 4; }));
    EXPECT_GE(Now("gort_timers"), before + 1);
    wg.Wait();
    EXPECT_EQ(Waiting("sleep"), 0);
  });
}

TEST(MetricsTest, AScriptOnOnePCountsWhatItDoes) {
  Procs one(1);
  InGort([] {
    const Chan<int> c = MakeChan<int>();
    const Since since;
    WaitGroup wg;
    for (int i = 0; i < 5; ++i) wg.Go([c] { c.Recv(); });
    EXPECT_TRUE(Eventually([&] { return since("gort_goroutines", "waiting") == 5; }));
    EXPECT_EQ(since("gort_goroutines_created_total"), 5);
    EXPECT_EQ(since("gort_parks_total", "chan receive"), 5);
    for (int i = 0; i < 5; ++i) c.Send(i);
    wg.Wait();  // they end
    EXPECT_EQ(since("gort_parks_total", "chan receive"), 5);
    EXPECT_EQ(since("gort_parks_total", "chan send"), 0);
    EXPECT_EQ(since("gort_parks_total", "sync.WaitGroup.Wait"), 1);
    for (int i = 0; i < 7; ++i) Blocking([] {});
    EXPECT_EQ(since("gort_system_calls_total"), 7);
    EXPECT_EQ(since("gort_ps_handed_off_total"), 0);
    EXPECT_EQ(since("gort_steals_total"), 0);
    EXPECT_EQ(since("gort_goroutines", "waiting"), 0);
  });
}

TEST(MetricsTest, OneWakeUpInManyIsTimed) {
  Procs one(1);
  InGort([] {
    const Since since;
    WaitGroup wg;
    for (int g = 0; g < 2; ++g) {
      wg.Go([] {
        for (int i = 0; i < 3200; ++i) Gosched();
      });
    }
    wg.Wait();
    // And the few that are no yields.
    const double timed = since("gort_time_to_run_seconds");
    EXPECT_GE(timed, 6400 / 256);
    EXPECT_LE(timed, 6400 / 256 + 1);
  });
}

TEST(MetricsTest, WhoWaitsForATurnIsTimed) {
  Procs one(1);
  InGort([] {
    const Since since;
    WaitGroup wg;
    for (int i = 0; i < 2 * 256; ++i) wg.Go([] {});
    const double spun = SecondsOf([] { SpinFor(0.03); });  // they could run, and do not
    wg.Wait();
    EXPECT_EQ(since.Took("gort_time_to_run_seconds", 0.02), 2);
    EXPECT_EQ(since.Took("gort_time_to_run_seconds", 2 * spun + 1), 0);
  });
}

TEST(MetricsTest, WaitsForLocksAddUp) {
  Procs one(1);
  InGort([] {
    const Since since;
    Mutex mu;
    RWMutex rw;
    mu.Lock();
    rw.Lock();
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.Go([&mu] {
        mu.Lock();
        mu.Unlock();
      });
    }
    for (int i = 0; i < 2; ++i) {
      wg.Go([&rw] {
        rw.RLock();
        rw.RUnlock();
      });
    }
    const int64_t begin = rt::Nanotime();
    EXPECT_TRUE(Eventually([&] { return since("gort_parks_total", "sync.Mutex.Lock") == 3; }));
    EXPECT_TRUE(Eventually([&] { return since("gort_parks_total", "sync.RWMutex.RLock") == 2; }));
    const double least = SecondsOf([] { SpinFor(0.01); });
    rw.Unlock();
    mu.Unlock();
    wg.Wait();
    const double most = static_cast<double>(rt::Nanotime() - begin) / 1e9;
    const double waited = since("gort_mutex_wait_seconds_total");
    EXPECT_GE(waited, 5 * least - 1e-6);
    EXPECT_LE(waited, 5 * most + 1e-6);
  });
}

// Holds a lock for a moment that a thread asks for. Returns how long that waited at most, in seconds.
double HaveAThreadWait() {
  Mutex mu;
  std::atomic<int64_t> begun{0};
  mu.Lock();
  std::thread thread = AttachedThread([&] {
    begun.store(rt::Nanotime());
    mu.Lock();
    mu.Unlock();
  });
  EXPECT_TRUE(Eventually([&] { return begun.load() != 0; }));
  Sleep(absl::Milliseconds(5));
  mu.Unlock();
  Blocking([&thread] { thread.join(); });
  return static_cast<double>(rt::Nanotime() - begun.load()) / 1e9;
}

TEST(MetricsTest, AThreadsWaitForALockCounts) {
  InGort([] {
    const Since since;
    double most = 0;
    // It may come to its wait when the lock is free again.
    EXPECT_TRUE(Eventually([&] {
      most += HaveAThreadWait();
      return since("gort_mutex_wait_seconds_total") > 0;
    }));
    EXPECT_LE(since("gort_mutex_wait_seconds_total"), most);
  });
}

TEST(MetricsTest, TheRuntimesOwnGoroutinesAreApart) {
  InGort([] {
    const Since since;
    const Chan<int> c = MakeChan<int>();
    for (int i = 0; i < 3; ++i) rt::GoSystem([c] { c.Recv(); });
    EXPECT_EQ(since("gort_system_goroutines"), 3);
    EXPECT_EQ(since("gort_goroutines_created_total"), 3);
    EXPECT_EQ(since("gort_goroutines", "runnable") + since("gort_goroutines", "waiting"), 0);
    c.Close();
    EXPECT_TRUE(Eventually([&] { return since("gort_system_goroutines") == 0; }));
  });
}

TEST(MetricsTest, NumbersAreGivenOutByTheBatch) {
  Procs one(1);
  InGort([] {
    const Since since;
    constexpr int kBatch = 16;
    std::atomic<uint64_t> highest{0};
    WaitGroup wg;
    for (int i = 0; i < 100; ++i) {
      wg.Go([&highest] { highest = std::max(highest.load(), Goid()); });
    }
    wg.Wait();
    EXPECT_GT(since("gort_goroutine_numbers_total"), 100 - kBatch);
    EXPECT_LT(since("gort_goroutine_numbers_total"), 100 + kBatch);
    EXPECT_GE(Now("gort_goroutine_numbers_total"), static_cast<double>(highest.load()));
    EXPECT_LT(Now("gort_goroutine_numbers_total"), static_cast<double>(highest.load() + kBatch));
  });
}

TEST(MetricsTest, TimersThatAreSetAreCounted) {
  Procs one(1);
  InGort([] {
    const Since since;
    std::vector<Timer> timers;
    for (int i = 0; i < 4; ++i) timers.push_back(NewTimer(absl::Hours(1)));
    Chan<int> never = MakeChan<int>();
    WaitGroup wg;
    for (const Timer& t : timers) {
      wg.Go([&t, never] {
        Select(OnRecv(t.C(), [](std::optional<absl::Time>) {}),
               OnRecv(never, [](std::optional<int>) {}));
      });
    }
    EXPECT_TRUE(Eventually([] { return Waiting("select") == 4; }));
    EXPECT_EQ(since("gort_timers"), 4);
    never.Close();
    wg.Wait();
    for (const Timer& t : timers) t.Stop();
    EXPECT_TRUE(Eventually([&] { return since("gort_timers") == 0; }));
  });
}

}  // namespace
}  // namespace gort
