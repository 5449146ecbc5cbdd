// bench/sleep_accuracy.cc: how late gort::Sleep wakes, beside nanosleep(2) in the same run.
// A report, not a test: the numbers belong to the machine and its load.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>

#include "absl/time/time.h"
#include "gort/platforms/clock.h"
#include "gort/runtime.h"
#include "gort/timer/sleep.h"

namespace {

constexpr int kSleeps = 1000;

void Report(const char* what, int procs, int64_t ns, const std::function<void(int64_t)>& sleep) {
  std::vector<int64_t> late;
  for (int i = 0; i < kSleeps; ++i) {
    int64_t before = gort::rt::Nanotime();
    sleep(ns);
    late.push_back(gort::rt::Nanotime() - before - ns);
  }
  std::sort(late.begin(), late.end());
  auto us = [&](double q) {
    return static_cast<double>(late[static_cast<size_t>(q * (kSleeps - 1))]) / 1000;
  };
  std::printf(
      "%-12s procs %d  sleep %7.1f us  late: min %6.1f  median %6.1f  p90 %6.1f  p99 %7.1f us\n",
      what, procs, static_cast<double>(ns) / 1000, us(0), us(0.5), us(0.9), us(0.99));
}

}  // namespace

int main() {
  return gort::Run([] {
    for (int procs : {1, 4}) {
      gort::GOMAXPROCS(procs);
      for (int64_t ns : {50'000, 500'000, 2'000'000}) {
        Report("gort::Sleep", procs, ns, [](int64_t d) { gort::Sleep(absl::Nanoseconds(d)); });
        Report("nanosleep", procs, ns, [](int64_t d) {
          timespec ts{0, d};
          nanosleep(&ts, nullptr);
        });
      }
    }
    return 0;
  });
}
