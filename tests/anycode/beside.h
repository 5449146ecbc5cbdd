// tests/anycode/beside.h: how long gort takes to serve a goroutine beside a row's workers.
// What      one more goroutine that wants one thing again and again, and notes how late it gets it:
//             ticker   a wait of a millisecond
//             procs    GOMAXPROCS, set to 2 and to 1 in turn: a stop of the world
//             profile  the stacks of all goroutines
#ifndef GORT_TESTS_ANYCODE_BESIDE_H_
#define GORT_TESTS_ANYCODE_BESIDE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "gort/sync/sync.h"

namespace anycode {

class Beside {
 public:
  // Begins. Unknown names end the program. Goroutine.
  explicit Beside(const std::string& what);

  // Ends, and prints "beside=… n=… p50_us=… p99_us=… max_us=…". Once, by a goroutine.
  void Stop();

 private:
  std::chrono::nanoseconds Once();

  const std::string what_;
  std::atomic<bool> stop_{false};
  std::vector<int64_t> late_us_;  // of the goroutine, until Stop waits for it
  gort::WaitGroup goroutine_;
};

}  // namespace anycode

#endif  // GORT_TESTS_ANYCODE_BESIDE_H_
