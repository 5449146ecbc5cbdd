// The numbers of programs of which we know what they do.
#include "gort/metrics/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <clocale>
#include <cstring>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/malloc/malloc.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/platforms/clock.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/rwmutex.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"
#include "gort/trace/testing/decoded.h"
#include "gort/trace/trace.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::DecodedTrace;
using ::gort::testing::Eventually;
using ::gort::testing::Inconsistency;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using ::gort::testing::TraceItem;
using metrics::Read;
using metrics::Sample;
using metrics::Value;

double Now(std::string_view name, std::string_view label = {}) {
  return Value(Read(), name, label);
}
double Waiting(std::string_view reason) { return Now("gort_goroutines_waiting", reason); }

TEST(MetricsTest, BeforeTheStartThereIsNothing) {
  EXPECT_EQ(Now("gort_goroutines", "running"), 0);
  EXPECT_EQ(Now("gort_gomaxprocs"), 0);
}

TEST(MetricsTest, TheHeapIsCountedByTheSizeOfItsBlocks) {
  constexpr std::string_view kName = "gort_heap_class_bytes";
  const std::vector<Sample> before = Read();
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(malloc::Alloc(1000));
  blocks.push_back(malloc::Alloc(100'000));
  const std::vector<Sample> now = Read();
  for (void* p : blocks) malloc::Free(p);
  EXPECT_GE(Value(now, kName, "1024") - Value(before, kName, "1024"), 90 * 1024);  // others free
  EXPECT_GE(Value(now, kName, "large") - Value(before, kName, "large"), 100'000);
  double sum = 0;
  for (const Sample& s : now) sum += s.name == kName ? s.value : 0;
  EXPECT_GE(sum, 100 * 1024 + 100'000);
}

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

// What changed from one reading to the next.
class Since {
 public:
  Since() : before_(Read()) {}
  double operator()(std::string_view name, std::string_view label = {}) const {
    return Now(name, label) - Value(before_, name, label);
  }
  // Of a histogram: how often it took as long as that.
  double Took(std::string_view name, double seconds) const {
    return CountFrom(Read(), name, seconds) - CountFrom(before_, name, seconds);
  }

 private:
  static double CountFrom(const std::vector<Sample>& samples, std::string_view name,
                          double seconds) {
    double n = 0;
    double begin = 0;
    for (const Sample& s : samples) {
      if (s.name != name) continue;
      for (const metrics::Bucket& b : s.buckets) {
        if (begin >= seconds) n += static_cast<double>(b.count);
        begin = b.end;
      }
    }
    return n;
  }
  const std::vector<Sample> before_;
};

// How long f takes, in seconds.
template <class F>
double SecondsOf(F f) {
  const int64_t begin = rt::Nanotime();
  f();
  return static_cast<double>(rt::Nanotime() - begin) / 1e9;
}

void SpinFor(double seconds) {
  const int64_t until = rt::Nanotime() + static_cast<int64_t>(seconds * 1e9);
  while (rt::Nanotime() < until) {
  }
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

double AllGuards() {
  double n = 0;
  for (const Sample& s : Read()) n += s.name == "gort_stack_guards" ? s.value : 0;
  return n;
}

TEST(MetricsTest, ALargeStackIsCountedUntilItsMemoryIsGivenBack) {
  static constexpr double kBytes = 16 << 20;
  Procs one(1);
  InGort([] {
    const Since since;
    const double guards = AllGuards();
    const Chan<int> c = MakeChan<int>();
    WaitGroup wg;
    GoOptions large;
    large.stack_size = static_cast<size_t>(kBytes);
    wg.Go(large, [c] { c.Recv(); });
    EXPECT_TRUE(Eventually([] { return Waiting("chan receive") == 1; }));
    EXPECT_GE(since("gort_stack_bytes", "in use"), kBytes);
    EXPECT_LE(since("gort_stack_bytes", "in use"), 2 * kBytes);  // with its guard, a power of two
    EXPECT_GE(Now("gort_stack_bytes", "reserved"), Now("gort_stack_bytes", "in use"));
    EXPECT_EQ(AllGuards(), guards + 1);
    c.Close();
    wg.Wait();
    EXPECT_TRUE(Eventually([&] { return since("gort_stack_bytes", "in use") < kBytes; }));
    EXPECT_TRUE(Eventually([&] { return since("gort_stack_released_bytes_total") >= kBytes; }));
  });
}

TEST(MetricsTest, ALargeBlockOfTheHeapIsCountedUntilItsMemoryIsGivenBack) {
  constexpr size_t kBytes = 1 << 20;
  const Since since;
  void* p = malloc::Alloc(kBytes);
  EXPECT_EQ(since("gort_heap_bytes", "in use"), kBytes);
  EXPECT_EQ(since("gort_heap_objects"), 1);
  EXPECT_GT(Now("gort_heap_bytes", "metadata"), 0);
  std::memset(p, 1, kBytes);
  malloc::Free(p);
  EXPECT_EQ(since("gort_heap_bytes", "in use"), 0);
  EXPECT_EQ(since("gort_heap_objects"), 0);
  EXPECT_GE(Now("gort_heap_bytes", "idle") - Now("gort_heap_bytes", "released"), kBytes);
  const auto released = static_cast<double>(malloc::ReleaseFreeMemory());
  EXPECT_GE(released, kBytes);
  EXPECT_GE(since("gort_heap_released_bytes_total"), released);
  EXPECT_EQ(Now("gort_heap_bytes", "idle"), Now("gort_heap_bytes", "released"));
}

TEST(MetricsTest, AFreeSmallBlockIsInACache) {
  void* p = malloc::Alloc(20'000);
  const Since since;
  malloc::Free(p);
  EXPECT_EQ(since("gort_heap_bytes", "cached"), 20'480);  // its class
  EXPECT_EQ(since("gort_heap_bytes", "in use"), -20'480);
}

std::string FileFor(const std::string& name) {
  return ::testing::TempDir() + "/" + name + "." + std::to_string(getpid()) + ".trace";
}

// The items between the two marks.
std::vector<TraceItem> Between(const DecodedTrace& t, const char* from, const char* to) {
  EXPECT_EQ(Inconsistency(t), "");
  EXPECT_TRUE(t.Named("lost events").empty());
  const std::vector<TraceItem> begin = t.Named(from), end = t.Named(to);
  std::vector<TraceItem> items;
  if (begin.size() != 1 || end.size() != 1) return items;
  for (const TraceItem& i : t.items) {
    if (i.ns > begin[0].ns && i.ns < end[0].ns) items.push_back(i);
  }
  return items;
}

void Work() {
  const Chan<int> c = MakeChan<int>();
  Mutex mu;
  WaitGroup wg;
  for (int g = 0; g < 50; ++g) {
    wg.Go([&, g] {
      for (int i = 0; i < 40; ++i) {
        g % 2 == 0 ? c.Send(i) : static_cast<void>(c.Recv());
        mu.Lock();
        Gosched();
        mu.Unlock();
        if (i % 10 == 0) Blocking([] {});
        if (i % 20 == 0) Sleep(absl::Microseconds(50));
      }
    });
  }
  GOMAXPROCS(3);
  wg.Wait();
  GOMAXPROCS(4);
}

// What metrics and a trace both count.
std::map<std::string, double> ByTrace(const std::vector<TraceItem>& items) {
  std::map<std::string, double> n;
  for (const TraceItem& i : items) {
    if (i.type == TraceItem::kEnd && !i.note("why").empty()) ++n["park: " + i.note("why")];
    if (i.type == TraceItem::kEnd) continue;
    for (const char* name : {"go", "steal", "system call", "stop the world"}) {
      if (i.name == name) ++n[name];
    }
  }
  return n;
}

TEST(MetricsTest, CountsAreThoseOfATrace) {
  Procs four(4);
  const std::string path = FileFor("counts");
  std::map<std::string, double> counted;
  InGort([&] {
    ASSERT_TRUE(trace::Start(path).ok());
    const auto at_rest = [] { return NumGoroutine() == 1; };
    EXPECT_TRUE(Eventually(at_rest));
    trace::Log("from here");
    const Since since;
    for (int i = 0; i < 5; ++i) Work();
    EXPECT_TRUE(Eventually(at_rest));
    counted["go"] = since("gort_goroutines_created_total");
    counted["steal"] = since("gort_steals_total");
    counted["system call"] = since("gort_system_calls_total");
    counted["stop the world"] = since("gort_world_stops_total");
    for (const Sample& s : Read()) {
      if (s.name == "gort_parks_total") {
        counted["park: " + std::string(s.label_value)] = since(s.name, s.label_value);
      }
    }
    trace::Log("to here");
    EXPECT_TRUE(trace::Stop().ok());
  });
  std::map<std::string, double> traced =
      ByTrace(Between(testing::DecodeTraceFile(path), "from here", "to here"));
  unlink(path.c_str());
  EXPECT_EQ(counted["go"], 5 * 50);
  EXPECT_GT(counted["park: chan receive"] + counted["park: chan send"], 0);
  EXPECT_GT(counted["park: sync.Mutex.Lock"], 0);
  for (const auto& [what, n] : counted) EXPECT_EQ(n, traced[what]) << what;
}

TEST(MetricsTest, TheTextIsWhatPrometheusReads) {
  InGort([] {
    const std::regex help("# HELP ([a-z_]+) .+");
    const std::regex type("# TYPE ([a-z_]+) (gauge|counter|histogram)");
    const std::regex sample("([a-z_]+)(\\{[a-z]+=\"[^\"\\\\]*\"\\})? [0-9.e+-]+");
    std::istringstream in(metrics::Prometheus());
    std::set<std::string> names, series;
    std::string name, kind;
    for (std::string line; std::getline(in, line);) {
      std::smatch m;
      if (std::regex_match(line, m, help)) {
        name = m[1];
        EXPECT_TRUE(names.insert(name).second) << "not in a row: " << name;
      } else if (std::regex_match(line, m, type)) {
        EXPECT_EQ(m[1], name);
        kind = m[2];
        EXPECT_EQ(kind == "counter", name.ends_with("_total")) << name;
      } else {
        ASSERT_TRUE(std::regex_match(line, m, sample)) << line;
        EXPECT_EQ(m[1].str().rfind(name, 0), 0u) << line;
        EXPECT_EQ(m[1] == name, kind != "histogram") << line;
        EXPECT_TRUE(series.insert(m[1].str() + m[2].str()).second) << "twice: " << line;
      }
    }
    EXPECT_EQ(names.size(), metrics::Definitions().size());
    EXPECT_EQ(series.count("gort_goroutines{state=\"running\"}"), 1u);
    EXPECT_EQ(series.count("gort_time_to_run_seconds_bucket{le=\"+Inf\"}"), 1u);
  });
}

TEST(MetricsTest, TheTextDoesNotFollowTheLocale) {
  // One whose numbers have a comma, as embedding programs may have set it.
  if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "no such locale here";
  Procs two(2);
  InGort([] {
    GOMAXPROCS(3);  // the world is stopped for a part of a second
    std::istringstream in(metrics::Prometheus());
    for (std::string line; std::getline(in, line);) {
      if (line[0] == '#') continue;
      EXPECT_EQ(line.substr(line.rfind(' ')).find(','), std::string::npos) << line;
    }
  });
  setlocale(LC_NUMERIC, "C");
}

}  // namespace
}  // namespace gort
