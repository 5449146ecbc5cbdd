// platforms/clock.h: time.
// Layer     2. Any thread, any stack; async-signal-safe.
#ifndef GORT_PLATFORMS_CLOCK_H_
#define GORT_PLATFORMS_CLOCK_H_

#include <cstdint>

namespace gort::rt {

// Nanoseconds of the monotonic clock; never 0 and never backwards. Go: nanotime.
int64_t Nanotime();
// Nanoseconds since the Unix epoch.
int64_t Walltime();
// The CPU's free-running counter (TSC, CNTVCT_EL0), for seeds and profiles. Go: cputicks.
int64_t CpuTicks();

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_CLOCK_H_
