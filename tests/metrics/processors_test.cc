// Ps, threads, queues, and what takes a P from a goroutine.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "gort/metrics/metrics.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/metrics/readings.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using metrics::Read;
using metrics::Sample;
using metrics::Value;

TEST(MetricsTest, BeforeTheStartThereIsNothing) {
  EXPECT_EQ(Now("gort_goroutines", "running"), 0);
  EXPECT_EQ(Now("gort_gomaxprocs"), 0);
}

TEST(MetricsTest, ChangingTheNumberOfPsStopsTheWorldOnce) {
  Procs two(2);
  InGort([] {
    const double stops = Now("gort_world_stops_total");
    const double seconds = Now("gort_world_stopped_seconds_total");
    GOMAXPROCS(3);
    EXPECT_EQ(Now("gort_gomaxprocs"), 3);
    EXPECT_EQ(Now("gort_gomaxprocs_chosen"), 1);
    EXPECT_EQ(Now("gort_world_stops_total"), stops + 1);
    EXPECT_GT(Now("gort_world_stopped_seconds_total"), seconds);
    EXPECT_GT(Now("gort_world_stopped_longest_seconds"), 0);
  });
}

void Compute() {
  for (int i = 0; i < 50'000; ++i) asm volatile("" ::: "memory");
}

TEST(MetricsTest, WhatAnotherPHasQueuedIsStolen) {
  Procs four(4);
  InGort([] {
    const double before = Now("gort_steals_total");
    // They stand in the queue of the P that made them, and it computes.
    EXPECT_TRUE(Eventually([&] {
      WaitGroup wg;
      for (int i = 0; i < 100; ++i) wg.Go([] { Compute(); });
      Compute();
      wg.Wait();
      return Now("gort_steals_total") > before;
    }));
  });
}

TEST(MetricsTest, EachStopOfTheWorldIsInItsHistogram) {
  Procs two(2);
  InGort([] {
    const Since since;
    for (const int n : {3, 1, 2}) GOMAXPROCS(n);
    EXPECT_EQ(since("gort_world_stops_total"), 3);
    EXPECT_EQ(since("gort_world_stop_seconds"), 3);
    for (const Sample& s : Read()) {
      if (s.name != "gort_world_stop_seconds") continue;
      EXPECT_DOUBLE_EQ(s.sum, Now("gort_world_stopped_seconds_total"));
      EXPECT_GE(metrics::Quantile(s, 1), Now("gort_world_stopped_longest_seconds"));
      EXPECT_LE(metrics::Quantile(s, 1), 1.25 * Now("gort_world_stopped_longest_seconds") + 256e-9);
    }
  });
}

TEST(MetricsTest, GomaxprocsSaysWhereItComesFrom) {
  InGort([] {
    double reasons = 0;
    for (const Sample& s : Read()) {
      if (s.name == "gort_gomaxprocs_reason") reasons += s.value;
    }
    EXPECT_EQ(reasons, 1);
    GOMAXPROCS(GOMAXPROCS(0));
    EXPECT_EQ(Now("gort_gomaxprocs_reason", "program"), 1);
  });
}

TEST(MetricsTest, WhatCanRunStandsInAQueue) {
  Procs one(1);
  InGort([] {
    const Since since;
    WaitGroup wg;
    for (int i = 0; i < 10; ++i) wg.Go([] {});
    EXPECT_EQ(since("gort_run_queue_length", "local"), 10);
    EXPECT_EQ(since("gort_goroutines", "runnable"), 10);
    EXPECT_EQ(since("gort_turns_total"), 0);
    wg.Wait();
    EXPECT_EQ(since("gort_run_queue_length", "local"), 0);
    // The one started last goes on with the time of this one, and this one with that of the last to end.
    EXPECT_EQ(since("gort_turns_total"), 9);
  });
}

TEST(MetricsTest, WhatAThreadStartsStandsInTheGlobalQueue) {
  Procs one(1);
  InGort([] {
    const Since since;
    std::atomic<int> ran{0};
    std::atomic<bool> started{false};
    std::thread thread([&] {
      for (int i = 0; i < 3; ++i) Go([&ran] { ran.fetch_add(1); });
      started = true;
    });
    while (!started) SpinFor(1e-5);  // the P stays here
    EXPECT_EQ(since("gort_run_queue_length", "global"), 3);
    EXPECT_EQ(ran.load(), 0);
    thread.join();
    EXPECT_TRUE(Eventually([&ran] { return ran.load() == 3; }));
    EXPECT_EQ(since("gort_run_queue_length", "global"), 0);
  });
}

TEST(MetricsTest, PsWithoutWorkAreIdle) {
  Procs four(4);
  InGort([] {
    EXPECT_TRUE(Eventually([] { return Now("gort_ps_idle") == 3; }));
    EXPECT_TRUE(Eventually([] { return Now("gort_threads_spinning") == 0; }));
  });
}

double BusyThreads() {
  const std::vector<Sample> now = Read();
  return Value(now, "gort_threads") - Value(now, "gort_threads_idle");
}

// Two descriptors, of which reading the first waits until Release.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe(fds_), 0); }
  ~Pipe() {
    close(fds_[0]);
    if (fds_[1] >= 0) close(fds_[1]);
  }
  int reading() const { return fds_[0]; }
  void Release() { close(std::exchange(fds_[1], -1)); }

 private:
  int fds_[2];
};

TEST(MetricsTest, WhoIsInTheKernelKeepsAThread) {
  Procs one(1);
  InGort([] {
    Pipe pipe;
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.Go([&pipe] {
        Blocking([&pipe] {
          char c;
          return read(pipe.reading(), &c, 1);
        });
      });
    }
    EXPECT_TRUE(Eventually([] { return Now("gort_goroutines", "syscall") == 3; }));
    const double there = BusyThreads();
    EXPECT_GE(there, 3 + 1);
    pipe.Release();
    wg.Wait();
    EXPECT_TRUE(Eventually([there] { return BusyThreads() <= there - 3; }));
  });
}

TEST(MetricsTest, WaitsForDescriptorsAreThePollers) {
  InGort([] {
    const Since since;
    Pipe pipe;
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.Go([&pipe] { EXPECT_TRUE(WaitReadable(pipe.reading()).ok()); });
    }
    EXPECT_TRUE(Eventually([&] { return since("gort_poller_waiters") == 3; }));
    pipe.Release();
    wg.Wait();
    EXPECT_EQ(since("gort_poller_waiters"), 0);
  });
}

TEST(MetricsTest, ThePOfALongCallIsTaken) {
  Procs one(1);
  InGort([] {
    const Since since;
    std::atomic<bool> ran{false};
    Go([&ran] { ran = true; });
    Blocking([&ran] {
      while (!ran) usleep(1000);
    });
    EXPECT_EQ(since("gort_ps_taken_total", "system call"), 1);
    EXPECT_EQ(since("gort_ps_taken_total", "sleep"), 0);
    EXPECT_EQ(since("gort_ps_handed_off_total"), 0);
  });
}

// The pre-emption signal stays away from the thread.
class Unasked {
 public:
  Unasked() { Mask(SIG_BLOCK); }
  ~Unasked() { Mask(SIG_UNBLOCK); }

 private:
  static void Mask(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, rt::PreemptSignal());
    pthread_sigmask(how, &set, nullptr);
  }
};

// Nobody told the runtime that this call waits: the monitor sees the thread asleep, when it looks, or when the
// goroutine's time is over and it is to be asked for the P.
TEST(MetricsTest, ThePOfAThreadThatSleepsUnannouncedIsTaken) {
  if (GORT_TEST_SANITIZED) GTEST_SKIP() << "a sanitizer's threads lose no P unannounced";
  Procs one(1);
  InGort([] {
    Pipe pipe;
    std::atomic<bool> reads{false};
    const Since since;
    Go([&] {
      while (!reads) Gosched();
      pipe.Release();
    });
    {
      const Unasked unasked;
      char c;
      reads = true;  // nothing takes this goroutine's turn from here on but its sleep
      EXPECT_EQ(read(pipe.reading(), &c, 1), 0);
    }
    // It is counted when the P has been taken: the other goroutine may have run by then.
    EXPECT_TRUE(Eventually([&] { return since("gort_ps_taken_total", "sleep") != 0; }));
    EXPECT_EQ(since("gort_ps_taken_total", "sleep"), 1);
    EXPECT_EQ(since("gort_ps_taken_total", "system call"), 0);
    EXPECT_EQ(since("gort_ps_handed_off_total"), 0);
    EXPECT_EQ(since("gort_exchanges_total"), 0);
  });
}

TEST(MetricsTest, APThatIsGivenAwayIsHandedOff) {
  Procs one(1);
  InGort([] {
    const Since since;
    rt::EnterSyscallBlock();
    rt::ExitSyscall();
    EXPECT_EQ(since("gort_ps_handed_off_total"), 1);
    EXPECT_EQ(since("gort_system_calls_total"), 1);
    EXPECT_EQ(since("gort_ps_taken_total", "system call"), 0);
  });
}

// Code without calls is asked by a signal.
TEST(MetricsTest, WhoComputesWhileTheWorldStopsIsInterrupted) {
  if (GORT_TEST_SANITIZED) GTEST_SKIP() << "a sanitizer's signals come later";
  Procs two(2);
  InGort([] {
    std::atomic<bool> computes{false}, done{false};
    WaitGroup wg;
    wg.Go([&] {
      computes = true;
      while (!done.load(std::memory_order_relaxed)) {
      }
    });
    EXPECT_TRUE(Eventually([&] { return computes.load(); }));
    const Since since;
    GOMAXPROCS(3);
    done = true;
    wg.Wait();
    EXPECT_GE(since("gort_preemption_requests_total"), 1);
    double answers = 0;
    for (const Sample& s : Read()) {
      if (s.name == "gort_preemptions_total") answers += since(s.name, s.label_value);
    }
    EXPECT_GE(answers, 1);
  });
}

}  // namespace
}  // namespace gort
