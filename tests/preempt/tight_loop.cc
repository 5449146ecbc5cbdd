// tests/preempt/tight_loop.cc: how long a goroutine waits for the CPU beside one that never calls.
//
//   tight_loop [--rounds=N] [--main_spins]
//
// With GOMAXPROCS=1 one goroutine runs `for (;;) ++x` and another sleeps a millisecond at a time.
// Prints how late the second was, in microseconds: "median=… p99=… max=…".
#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "gflags/gflags.h"
#include "gort/platforms/clock.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/timer/sleep.h"

DEFINE_int32(rounds, 200, "how often the second goroutine sleeps");
DEFINE_bool(main_spins, false, "the main goroutine is the one that never calls");

int gort_main(int argc, char** argv);

namespace tight {

std::atomic<bool> stop{false};
std::atomic<uint64_t> sink{0};

void Spin() {
  uint64_t x = 0;
  while (!stop.load(std::memory_order_relaxed)) ++x;
  sink.store(x);
}

void Report(std::vector<int64_t>& late) {
  std::sort(late.begin(), late.end());
  size_t n = late.size();
  std::printf("median=%" PRId64 " p99=%" PRId64 " max=%" PRId64 "\n", late[n / 2] / 1000,
              late[n - 1 - n / 100] / 1000, late[n - 1] / 1000);
  for (int i = 0; i < static_cast<int>(gort::rt::Interrupted::kCount); ++i) {
    auto p = static_cast<gort::rt::Interrupted>(i);
    if (int64_t c = gort::rt::PreemptCount(p); c != 0) {
      std::printf("  %s: %" PRId64 "\n", gort::rt::InterruptedName(p), c);
    }
  }
  std::fflush(stdout);
}

void Measure() {
  std::vector<int64_t> late;
  for (int i = 0; i < FLAGS_rounds; ++i) {
    int64_t due = gort::rt::Nanotime() + 1'000'000;
    gort::Sleep(absl::Milliseconds(1));
    late.push_back(gort::rt::Nanotime() - due);
  }
  stop.store(true);
  Report(late);
}

}  // namespace tight

int gort_main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  gort::rt::GoMaxProcs(1);
  if (FLAGS_main_spins) {
    gort::Go(&tight::Measure);
    tight::Spin();
  } else {
    gort::Go([] { tight::Spin(); });
    tight::Measure();
  }
  return 0;
}
