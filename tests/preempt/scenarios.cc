// tests/preempt/scenarios.cc: programs for preempt_test.cc, by name.
//
//   scenarios NAME
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "gort/platforms/clock.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/timer/sleep.h"

int gort_main(int argc, char** argv);

namespace scenarios {

using gort::rt::Interrupted;
using gort::rt::Nanotime;
using gort::rt::PreemptCount;

std::atomic<bool> stop{false};
std::atomic<uint64_t> sink{0};

__attribute__((noinline)) void Victim() {
  uint64_t x = 0;
  while (!stop.load(std::memory_order_relaxed)) ++x;
  sink.store(x);
}

// Calls nothing for a few hundred milliseconds.
__attribute__((noinline)) void Spin(uint64_t n) {
  uint64_t x = 1;
  for (uint64_t i = 0; i < n; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
  sink.store(x);
}

// How often another goroutine got to run while the caller was in Spin, with one P.
int64_t RunsBeside() {
  gort::rt::GoMaxProcs(1);
  std::atomic<int64_t> runs{0};
  std::atomic<bool> over{false};
  std::atomic<bool> gone{false};
  gort::Go([&] {
    while (!over.load()) {
      runs.fetch_add(1);
      gort::Sleep(absl::Milliseconds(1));
    }
    gone.store(true);
  });
  gort::Sleep(absl::Milliseconds(5));
  int64_t before = runs.load();
  Spin(300'000'000);
  int64_t n = runs.load() - before;
  over.store(true);
  while (!gone.load()) gort::rt::Gosched();
  return n;
}

int Beside() {
  std::printf("runs=%" PRId64 "\n", RunsBeside());
  return 0;
}

// ---- the application's own handler, installed before the runtime's ----

std::atomic<int> urgent{0};
bool own_handler = false;
__attribute__((constructor)) void InstallOwn() {
  if (getenv("OWN_HANDLER") == nullptr) return;
  struct sigaction sa {};
  sa.sa_handler = [](int) { urgent.fetch_add(1); };
  sigaction(SIGURG, &sa, nullptr);
  own_handler = true;
}

int OwnHandler() {
  int64_t beside = RunsBeside();
  int after_ours = urgent.load();
  for (int i = 0; i < 3; ++i) {
    int before = urgent.load();
    kill(getpid(), SIGURG);
    while (urgent.load() == before) gort::Sleep(absl::Milliseconds(1));
  }
  raise(SIGURG);
  std::printf("own=%d runs=%s ours=%d foreign=%d\n", own_handler ? 1 : 0, beside > 0 ? "yes" : "no",
              after_ours, urgent.load());
  return 0;
}

// ---- a callback of the C library ----

std::atomic<bool> in_callback{false};
std::atomic<bool> seen_inside{false};

int Compare(const void* a, const void* b) {
  in_callback.store(true);
  Spin(20'000'000);
  in_callback.store(false);
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

int Qsort() {
  gort::rt::GoMaxProcs(1);
  std::atomic<bool> over{false};
  std::atomic<bool> gone{false};
  gort::Go([&] {
    while (!over.load()) {
      if (in_callback.load()) seen_inside.store(true);
      gort::Sleep(absl::Milliseconds(1));
    }
    gone.store(true);
  });
  gort::Sleep(absl::Milliseconds(5));
  int v[] = {5, 3, 9, 1, 7, 2};
  qsort(v, 6, sizeof v[0], &Compare);
  over.store(true);
  while (!gone.load()) gort::rt::Gosched();
  std::printf("interrupted=%d sorted=%d\n", seen_inside.load() ? 1 : 0,
              std::is_sorted(v, v + 6) ? 1 : 0);
  return 0;
}

// ---- stop the world ----

int stw_procs = 4;

int Stw() {
  gort::rt::GoMaxProcs(stw_procs);
  const int loops = stw_procs - 1;
  std::atomic<int> live{loops};
  for (int i = 0; i < loops; ++i) {
    gort::Go([&] {
      Victim();
      live.fetch_sub(1);
    });
  }
  gort::Sleep(absl::Milliseconds(20));
  std::vector<int64_t> took;
  for (int i = 0; i < 100; ++i) {
    int64_t start = Nanotime();
    gort::rt::StopTheWorld(gort::rt::WaitReason::kStoppingTheWorld);
    took.push_back(Nanotime() - start);
    gort::rt::StartTheWorld();
    gort::Sleep(absl::Milliseconds(1));
  }
  stop.store(true);
  while (live.load() != 0) gort::Sleep(absl::Milliseconds(1));
  std::sort(took.begin(), took.end());
  std::printf("stopped=100 p50=%" PRId64 "us p99=%" PRId64 "us\n", took[50] / 1000,
              took[98] / 1000);
  return 0;
}

// ---- a pre-empted goroutine's traceback ----

int Traceback() {
  gort::rt::GoMaxProcs(1);
  gort::Go([] { Victim(); });
  int64_t before = PreemptCount(Interrupted::kMoved) + PreemptCount(Interrupted::kStayed);
  while (PreemptCount(Interrupted::kMoved) + PreemptCount(Interrupted::kStayed) == before) {
    gort::Sleep(absl::Milliseconds(1));
  }
  // Its P may also have been taken from outside, because its thread was not on a CPU for a while: then it
  // runs beside this goroutine until it is interrupted.
  std::string text = gort::Stack(true);
  for (int i = 0; i < 1000 && text.find("[runnable") == text.npos; ++i) {
    gort::Sleep(absl::Milliseconds(1));
    text = gort::Stack(true);
  }
  stop.store(true);
  std::printf("%s\n", text.c_str());
  return 0;
}

// The reporter has lost its P to the goroutine that it reports on.
int TracebackWithoutP() {
  gort::rt::GoMaxProcs(1);
  // Makes the template thread: while sysmon does, who was cut off goes on without a P (proc/stay.h).
  gort::LockOSThread();
  gort::UnlockOSThread();
  std::atomic<bool> victim_runs{false};
  gort::Go([&victim_runs] {
    victim_runs.store(true);
    Victim();
  });
  while (!victim_runs.load()) usleep(1000);  // takes the P away, as no call of gort's does
  std::string text = gort::Stack(true);
  stop.store(true);
  std::printf("%s\n", text.c_str());
  return 0;
}

struct Scenario {
  const char* name;
  int (*run)();
};
constexpr Scenario kScenarios[] = {
    {"beside", &Beside}, {"own_handler", &OwnHandler}, {"qsort", &Qsort},
    {"stw", &Stw},       {"traceback", &Traceback},    {"traceback_without_p", &TracebackWithoutP}};

}  // namespace scenarios

int gort_main(int argc, char** argv) {
  for (const scenarios::Scenario& s : scenarios::kScenarios) {
    if (argc >= 2 && strcmp(argv[1], s.name) == 0) {
      if (argc > 2) scenarios::stw_procs = std::max(2, atoi(argv[2]));
      int result = s.run();
      std::fflush(stdout);
      return result;
    }
  }
  std::fprintf(stderr, "scenarios NAME [GOMAXPROCS of stw]\n");
  return 2;
}
