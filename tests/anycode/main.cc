// tests/anycode/main.cc: runs one row.
//
//   PROGRAM --list
//   PROGRAM --row=NAME [--on=goroutines|threads] [--workers=100] [--seconds=1] [--pin] [--beside=WHAT]
//
// Prints "NAME on=… procs=… ops=… seconds=… rate=…" and ends with status 0; what is wrong goes to
// stderr, and makes it 1. Each worker does one operation at least, so that a row takes as long as
// the slowest. --pin: threads share one CPU. --beside: what one more goroutine does (beside.h).
#include <sched.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gflags/gflags.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/tests/anycode/beside.h"
#include "gort/tests/anycode/row.h"

DEFINE_bool(list, false, "print every row, with its family");
DEFINE_string(row, "", "the row to run");
DEFINE_string(on, "goroutines", "goroutines or threads");
DEFINE_int32(workers, 100, "how many run it at once");
DEFINE_double(seconds, 1, "how long");
DEFINE_bool(pin, false, "threads share one CPU");
DEFINE_string(beside, "", "what one more goroutine does: ticker, procs or profile");

namespace anycode {
namespace {

void Work(const Task& task, Worker* worker) {
  try {
    task.work(*worker);
  } catch (const std::exception& e) {
    Wrong("exception: %s", e.what());
  }
}

void OnGoroutines(const Task& task, std::vector<Worker>* workers) {
  std::optional<Beside> beside;
  if (!FLAGS_beside.empty()) beside.emplace(FLAGS_beside);
  gort::WaitGroup all;
  for (Worker& w : *workers) {
    all.Go([&task, &w] { Work(task, &w); });
  }
  all.Wait();
  if (beside) beside->Stop();
}

void StayOnOneCpu() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
  ExpectCall(0, sched_setaffinity(0, sizeof(one), &one), "sched_setaffinity");
}

void OnThreads(const Task& task, std::vector<Worker>* workers) {
  std::vector<std::thread> all;
  all.reserve(workers->size());
  cpu_set_t before;
  sched_getaffinity(0, sizeof(before), &before);
  // The new threads inherit it.
  if (FLAGS_pin) StayOnOneCpu();
  for (Worker& w : *workers) {
    all.emplace_back([&task, &w] { Work(task, &w); });
  }
  sched_setaffinity(0, sizeof(before), &before);
  for (std::thread& t : all) t.join();
}

int64_t TotalOps(const std::vector<Worker>& workers) {
  int64_t ops = 0;
  for (const Worker& w : workers) ops += w.ops();
  return ops;
}

// A thread that knows nothing of gort sleeps 1 ms at a time and sees how late the machine wakes it.
class Sleeper {
 public:
  Sleeper() : thread_([this] { Run(); }) {}
  // How late on average, in milliseconds. Ends the thread.
  double LateMs() {
    over_.store(true, std::memory_order_relaxed);
    thread_.join();
    return late_ms_;
  }

 private:
  static double SleptMs() {
    const Clock::time_point start = Clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  }
  void Run() {
    double sum = 0;
    int n = 0;
    do {
      sum += SleptMs() - 1;
      ++n;
    } while (!over_.load(std::memory_order_relaxed));
    late_ms_ = sum / n;
  }

  std::atomic<bool> over_{false};
  double late_ms_ = 0;  // the thread's until it has ended
  std::thread thread_;
};

// Where each operation waits in the kernel, many wait at once, however few P there are. The monitor takes a P after
// some tens of microseconds; on a machine that wakes any thread later than that nothing can be said.
void CheckOverlap(const Task& task, int64_t ops, double seconds, double late_ms) {
  if (late_ms > 0.3) {
    std::printf("no word on overlap: a thread's sleep ends %.2f ms late here\n", late_ms);
    return;
  }
  const double overlap =
      static_cast<double>(ops) * static_cast<double>(task.waits.count()) / 1e3 / seconds;
  const int procs = gort::GOMAXPROCS(0);
  if (FLAGS_workers >= 12 * procs && overlap < 2 * procs) {
    Wrong("on average %.1f of %d wait at once", overlap, FLAGS_workers);
  }
}

int RunRow(const Row& row) {
  const bool goroutines = FLAGS_on == "goroutines";
  const Task task = row.make(FLAGS_workers);
  std::optional<Sleeper> sleeper;
  if (goroutines && task.waits.count() != 0) sleeper.emplace();
  const Clock::time_point start = Clock::now();
  const auto length =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(FLAGS_seconds));
  std::vector<Worker> workers;
  workers.reserve(static_cast<size_t>(FLAGS_workers));
  for (int i = 0; i < FLAGS_workers; ++i) workers.emplace_back(i, FLAGS_workers, start + length);
  if (goroutines) {
    OnGoroutines(task, &workers);
  } else {
    OnThreads(task, &workers);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const int64_t ops = TotalOps(workers);
  if (!AnyWrong()) task.check(ops);
  if (sleeper) CheckOverlap(task, ops, seconds, sleeper->LateMs());
  std::printf("%s on=%s procs=%d ops=%" PRId64 " seconds=%.3f rate=%.1f\n", row.name,
              FLAGS_on.c_str(), goroutines ? gort::GOMAXPROCS(0) : 0, ops, seconds,
              static_cast<double>(ops) / seconds);
  std::fflush(stdout);
  return AnyWrong() ? 1 : 0;
}

int List() {
  for (const Family& family : AllFamilies()) {
    for (const Row& row : family.rows) std::printf("%s %s\n", family.name, row.name);
  }
  return 0;
}

int Main() {
  if (FLAGS_list) return List();
  for (const Family& family : AllFamilies()) {
    for (const Row& row : family.rows) {
      if (FLAGS_row != row.name) continue;
      return FLAGS_on == "threads" ? RunRow(row) : gort::Run([&row] { return RunRow(row); });
    }
  }
  std::fprintf(stderr, "no row %s\n", FLAGS_row.c_str());
  return 2;
}

}  // namespace
}  // namespace anycode

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  return anycode::Main();
}
