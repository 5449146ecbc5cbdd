// sysmon/retake.h: taking Ps back from goroutines that hold them too long.
// Layer     10. sysmon's thread only.                       Go: retake (proc.go)
#ifndef GORT_SYSMON_RETAKE_H_
#define GORT_SYSMON_RETAKE_H_

#include <cstdint>

namespace gort::rt {

struct Retaken {
  int handed_off = 0;  // Ps
  // When the next time slice ends, or whether a request for pre-emption was answered should be
  // looked at, in monotonic nanoseconds; INT64_MAX: no P runs.
  int64_t look_again = INT64_MAX;
};

// Asks for pre-emption of every goroutine that has run for a time slice, and hands off every P
// whose M has been in a system call for more than one of sysmon's ticks. `now` in monotonic
// nanoseconds.
Retaken Retake(int64_t now);

}  // namespace gort::rt

#endif  // GORT_SYSMON_RETAKE_H_
