// The workloads of timers: timers, timerstop.
#include <sys/resource.h>

#include <cstdint>

#include "absl/time/time.h"
#include "gort/bench/workload.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"

namespace gort::bench {
namespace {

// SplitMix64's finaliser of i + 1, easy to repeat in other languages.
uint64_t SplitMix(uint64_t i) {
  uint64_t z = (i + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

double MsOf(const timeval& t) {
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
}

// User plus system time of the process, in ms.
double CpuMs() {
  rusage u;
  Check(getrusage(RUSAGE_SELF, &u) == 0);
  return MsOf(u.ru_utime) + MsOf(u.ru_stime);
}

}  // namespace

// n goroutines each sleep a pseudo-random 0..1000 ms. The wall time runs from the first spawn to
// the last wake-up.
Values Timers(int64_t n) {
  const double cpu = CpuMs();
  const Clock::time_point start = Clock::now();
  Group g;
  g.Start(n, [](int64_t i) {
    Sleep(absl::Microseconds(SplitMix(static_cast<uint64_t>(i)) % 1'000'001));
  });
  g.Wait();
  const Clock::duration wall = Clock::now() - start;
  return {Ms(wall) - 1000, CpuMs() - cpu};
}

// n one-hour timers, each stopped at once.
Values TimerStop(int64_t n) {
  return NsPer(n, [n] {
    for (int64_t i = 0; i < n; ++i) Check(AfterFunc(absl::Hours(1), [] {}).Stop());
  });
}

}  // namespace gort::bench
