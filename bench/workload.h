// bench/workload.h: what the workloads of bench/workloads share.
// What      The workloads themselves, one function each, and the helpers for timing and grouping.
//           A workload does one timed run and returns one value for each of its figures.
// Size      n is what -n gives; what it counts is said at each function.
#ifndef GORT_BENCH_WORKLOAD_H_
#define GORT_BENCH_WORKLOAD_H_

#include <chrono>
#include <cstdint>
#include <vector>

#include "gort/runtime.h"
#include "gort/sync/sync.h"

namespace gort::bench {

using Values = std::vector<double>;
using Clock = std::chrono::steady_clock;

// sched.cc
Values Spawn(int64_t n);
Values Yield(int64_t n);
Values Skynet(int64_t n);
Values ForkJoin(int64_t n);
Values Parked(int64_t n);
Values ParkOnce(int64_t n);  // what Parked runs in a process of its own
// chans.cc
Values PingPong(int64_t n);
Values Spsc(int64_t n);
Values Mpmc(int64_t n);
Values Selects(int64_t n);
Values FanIn(int64_t n);
Values Ring(int64_t n);
// locks.cc
Values MutexPairs(int64_t n);
Values RWMutexPairs(int64_t n);
// preempt.cc
Values Preempt(int64_t n);
// timers.cc
Values Timers(int64_t n);
Values TimerStop(int64_t n);

// The workload whose process Parked starts.
inline constexpr char kParkedOnce[] = "parked-once";

inline double Ns(Clock::duration d) { return std::chrono::duration<double, std::nano>(d).count(); }
inline double Ms(Clock::duration d) { return Ns(d) / 1e6; }

// The q-th quantile of v by nearest rank; v must not be empty.
double Quantile(Values v, double q);

// Times f, which does ops operations: nanoseconds for each.
template <class F>
Values NsPer(int64_t ops, F&& f) {
  const Clock::time_point start = Clock::now();
  f();
  return {Ns(Clock::now() - start) / static_cast<double>(ops)};
}

// Panics with "wrong result".
[[noreturn]] void WrongResult();
inline void Check(bool ok) {
  if (!ok) WrongResult();
}

// Goroutines that are waited for together. One that outlives the timed part is declared outside it.
class Group {
 public:
  Group() = default;
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group() { Wait(); }

  // f(0) .. f(k-1), each in a goroutine of its own, each with a copy of f.
  template <class F>
  void Start(int64_t k, const F& f) {
    wg_.Add(k);
    for (int64_t i = 0; i < k; ++i) {
      Go([this, f, i] {
        f(i);
        wg_.Done();
      });
    }
  }
  void Wait() { wg_.Wait(); }

 private:
  WaitGroup wg_;
};

}  // namespace gort::bench

#endif  // GORT_BENCH_WORKLOAD_H_
