// platforms/clock.h: time.
// Layer     2. Any thread, any stack, signal handlers; no system call where the kernel offers a
//           vDSO.
// Errors    none.                                              Go: nanotime1, walltime
#ifndef GORT_PLATFORMS_CLOCK_H_
#define GORT_PLATFORMS_CLOCK_H_

#include <cstdint>

namespace gort::rt {

// Nanoseconds of the monotonic clock: above 0, never backwards, over all threads. Stands still
// while the machine is suspended. Go: nanotime.
int64_t Nanotime();
// Nanoseconds since the Unix epoch; jumps when somebody sets the clock. Go: walltime.
int64_t Walltime();
// The CPU's free-running counter (TSC, CNTVCT_EL0), in units of its own, for seeds and profiles.
// Not ordered with the instructions around it. Go: cputicks.
int64_t CpuTicks();

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_CLOCK_H_
