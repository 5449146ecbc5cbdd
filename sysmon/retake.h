// sysmon/retake.h: taking Ps back from goroutines that hold them too long.
// Layer     10. sysmon's thread only.                       Go: retake (proc.go)
#ifndef GORT_SYSMON_RETAKE_H_
#define GORT_SYSMON_RETAKE_H_

#include <cstdint>

namespace gort::rt {

// Asks for pre-emption of every goroutine that has run for a time slice, and hands off every P
// whose M has been in a system call for more than one of sysmon's ticks. `now` in monotonic
// nanoseconds. Returns how many Ps it handed off.
int Retake(int64_t now);

}  // namespace gort::rt

#endif  // GORT_SYSMON_RETAKE_H_
