// timer/sleep.h: gort::Sleep.
// What      Sleep parks the calling goroutine for at least the time given; it blocks a foreign
//           thread.
// Layer     8. No channel in it, so that code without channels can sleep.
// Contract  | call  | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | Sleep |   x    | -  |  -   |    -    |    x    |   x   |     -     |
//           | Now   |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           Fatal on g0.                                              Go: Sleep (time.go)
#ifndef GORT_TIMER_SLEEP_H_
#define GORT_TIMER_SLEEP_H_

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>

#include "absl/time/time.h"
#include "gort/timer/internal/sleep_ns.h"

namespace gort {
namespace rt {

// d in whole nanoseconds; what does not fit becomes INT64_MIN or INT64_MAX, and so do infinities.
int64_t SaturatedNanoseconds(absl::Duration d);

// The same for any std::chrono duration, floating point included (rounded; NaN: 0). Nanoseconds
// that do not divide into the period evenly are computed in long double, where nothing overflows.
template <class Rep, class Period>
constexpr int64_t SaturatedNanoseconds(std::chrono::duration<Rep, Period> d) {
  using FloatNs = std::chrono::duration<long double, std::nano>;
  constexpr long double kLimit = 9.2e18L;  // a little less than INT64_MAX
  const long double ns = std::chrono::duration_cast<FloatNs>(d).count();
  if (ns >= kLimit) return std::numeric_limits<int64_t>::max();
  if (ns <= -kLimit) return std::numeric_limits<int64_t>::min();
  using InNs = std::ratio_divide<Period, std::nano>;
  if constexpr (std::numeric_limits<Rep>::is_integer && (InNs::num == 1 || InNs::den == 1)) {
    return std::chrono::duration_cast<std::chrono::duration<int64_t, std::nano>>(d).count();
  } else if constexpr (std::numeric_limits<Rep>::is_integer) {
    return static_cast<int64_t>(ns);
  } else {
    return ns == ns ? static_cast<int64_t>(ns < 0 ? ns - 0.5L : ns + 0.5L) : 0;
  }
}

// A std::chrono duration as absl's, to the nanosecond; beyond 292 years: infinite.
template <class Rep, class Period>
absl::Duration SaturatedDuration(std::chrono::duration<Rep, Period> d) {
  const int64_t ns = SaturatedNanoseconds(d);
  if (ns == std::numeric_limits<int64_t>::max()) return absl::InfiniteDuration();
  if (ns == std::numeric_limits<int64_t>::min()) return -absl::InfiniteDuration();
  return absl::Nanoseconds(ns);
}

}  // namespace rt

// The time of day; in a bubble of gort::testing, the bubble's. Go: time.Now
absl::Time Now();

// Pauses the calling goroutine (or foreign thread) for at least d; the others go on. Zero, negative
// durations: returns at once. InfiniteDuration: never returns. Go: Sleep
void Sleep(absl::Duration d);
template <class Rep, class Period>
void Sleep(std::chrono::duration<Rep, Period> d) {
  rt::SleepNs(rt::SaturatedNanoseconds(d));
}

}  // namespace gort

#endif  // GORT_TIMER_SLEEP_H_
