// bench/cutoff.cc: what it costs to take the CPU from goroutines that compute.
//
//   cutoff [--goroutines=N] [--ms=N] [--procs=N] [--may_move] [--noplain]
//
// N goroutines each compute for about so many milliseconds without a call; before and after them
// plain threads, one for each P, do the same work (not with --noplain). Prints the time of both and, of the goroutines:
// how often one was interrupted and what that cost each time, switches of threads, the most threads,
// resident memory, and when the goroutines began and ended. GODEBUG=preemptrate=10000 makes the cost
// of one interruption large enough to be seen.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "gflags/gflags.h"
#include "gort/base/attributes.h"
#include "gort/preempt/preempt.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"

DEFINE_int32(goroutines, 2, "how many compute at once");
DEFINE_double(ms, 1000, "about how long each computes");
DEFINE_int32(procs, 1, "GOMAXPROCS, and the number of plain threads");
DEFINE_bool(plain, true, "time plain threads too; else what an interruption costs is not known");
DEFINE_bool(may_move, false, "goroutines promise that they may move (GoOptions::may_move)");

namespace {

using Clock = std::chrono::steady_clock;
using gort::rt::Interrupted;

// A step waits for the one before it.
GORT_NOINLINE int64_t Compute(int64_t steps) {
  uint64_t x = 1;
  for (int64_t i = 0; i < steps; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    asm volatile("" : "+r"(x));
  }
  return static_cast<int64_t>(x);
}

double Ms(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

// Milliseconds until each of FLAGS_procs threads has done `steps`.
double OnThreads(int64_t steps) {
  const Clock::time_point start = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < FLAGS_procs; ++i) threads.emplace_back(&Compute, steps);
  for (std::thread& t : threads) t.join();
  return Ms(Clock::now() - start);
}

// The number behind a name of /proc/self/status.
int64_t OwnStatus(const std::string& name) {
  std::ifstream file("/proc/self/status");
  std::string word;
  int64_t value = 0;
  while (file >> word) {
    if (word == name + ":" && file >> value) break;
  }
  return value;
}

int64_t Switches() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw + usage.ru_nivcsw;
}

// Looks at the number of threads from a thread of its own, until it is destroyed.
class ThreadsWatch {
 public:
  ThreadsWatch()
      : thread_([this] {
          while (!stop_.load(std::memory_order_relaxed)) {
            most_ = std::max(most_, OwnStatus("Threads"));
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }
        }) {}
  int64_t Stop() {
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
    return most_;
  }

 private:
  int64_t most_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct Times {
  double began, ended;
};

double OnGoroutines(int64_t steps, std::vector<Times>* times) {
  const Clock::time_point start = Clock::now();
  gort::WaitGroup all;
  all.Add(FLAGS_goroutines);
  for (Times& t : *times) {
    gort::Go({.may_move = FLAGS_may_move}, [start, steps, &t, &all] {
      t.began = Ms(Clock::now() - start);
      Compute(steps);
      t.ended = Ms(Clock::now() - start);
      all.Done();
    });
  }
  all.Wait();
  return Ms(Clock::now() - start);
}

double Of(std::vector<Times> times, double Times::*which, size_t percent) {
  std::sort(times.begin(), times.end(),
            [which](const Times& a, const Times& b) { return a.*which < b.*which; });
  return times[(times.size() - 1) * percent / 100].*which;
}

void Report(int64_t steps, int64_t steps_on_a_thread) {
  const double before = FLAGS_plain ? OnThreads(steps_on_a_thread) : 0;
  std::vector<Times> times(static_cast<size_t>(FLAGS_goroutines));
  const int64_t switches_before = Switches();
  ThreadsWatch watch;
  const double total = OnGoroutines(steps, &times);
  const int64_t threads = watch.Stop();
  const int64_t switches = Switches() - switches_before;
  const double plain = FLAGS_plain ? (before + OnThreads(steps_on_a_thread)) / 2 : total;
  const int64_t stayed = PreemptCount(Interrupted::kStayed);
  const int64_t moved = PreemptCount(Interrupted::kMoved);
  const double cuts = static_cast<double>(std::max<int64_t>(stayed + moved, 1));
  std::printf("%d goroutines of %g ms, %d P%s: %.1f ms; on threads %.1f ms\n", FLAGS_goroutines,
              FLAGS_ms, FLAGS_procs, FLAGS_may_move ? ", may move" : "", total, plain);
  std::printf("stayed %" PRId64 ", moved %" PRId64 "; each cost %.0f ns on its P, %.2f switches\n",
              stayed, moved, (total - plain) * 1e6 * FLAGS_procs / cuts,
              static_cast<double>(switches) / cuts);
  std::printf("most threads %" PRId64 ", most resident %" PRId64 " MiB\n", threads,
              OwnStatus("VmHWM") / 1024);
  std::printf("began: median %.1f ms, last %.1f; ended: first %.1f, median %.1f, last %.1f\n",
              Of(times, &Times::began, 50), Of(times, &Times::began, 100),
              Of(times, &Times::ended, 0), Of(times, &Times::ended, 50),
              Of(times, &Times::ended, 100));
}

// Steps that take a millisecond.
double StepsInMs() {
  constexpr int64_t kProbe = 50'000'000;
  OnThreads(kProbe / 10);
  return kProbe / OnThreads(kProbe);
}

}  // namespace

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  const double steps = FLAGS_ms * StepsInMs();
  return gort::Run([steps] {
    gort::GOMAXPROCS(FLAGS_procs);
    Report(static_cast<int64_t>(steps),
           static_cast<int64_t>(steps * FLAGS_goroutines / FLAGS_procs));
    return 0;
  });
}
