// tests/model/clock.h: vector clocks, the measure of happens-before.
// What      component t counts the steps of thread t that happen before the holder's next step.
#ifndef GORT_TESTS_MODEL_CLOCK_H_
#define GORT_TESTS_MODEL_CLOCK_H_

#include <algorithm>
#include <array>
#include <cstdint>

namespace gort::rt::model {

inline constexpr int kMaxThreads = 8;

struct Clock {
  std::array<uint32_t, kMaxThreads> at = {};

  void Join(const Clock& other) {
    for (int i = 0; i < kMaxThreads; i++) at[i] = std::max(at[i], other.at[i]);
  }
  // Thread `thread`'s step number `time` happens before the holder's next step.
  bool Covers(int thread, uint32_t time) const { return at[thread] >= time; }
};

}  // namespace gort::rt::model

#endif  // GORT_TESTS_MODEL_CLOCK_H_
