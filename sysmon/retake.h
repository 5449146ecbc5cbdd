// sysmon/retake.h: taking Ps back from goroutines that hold them too long.
// Layer     10. sysmon's thread only.                       Go: retake (proc.go)
#ifndef GORT_SYSMON_RETAKE_H_
#define GORT_SYSMON_RETAKE_H_

#include <cstdint>

namespace gort::rt {

struct Retaken {
  int handed_off = 0;  // Ps
  // When Retake should be called next, in monotonic nanoseconds: the end of the earliest time slice,
  // or the time to see whether a goroutine has answered a request. INT64_MAX: no P asks for one.
  int64_t look_again = INT64_MAX;
};

// Looks at every P once, at `now` in monotonic nanoseconds:
//
//   the P        and                                              what happens
//   runs         its goroutine has used up its slice              the goroutine is asked to give way
//                its thread sleeps in a call that nobody          the P is handed off
//                announced, and work waits for a P
//   is left      an earlier look has seen the call, and the P     the P is handed off
//   in a call    has work in its queue, or no M spins and no P
//                is idle, or the call has lasted for 10 ms
//   is stopped   the thread that stops the world sleeps, and      a goroutine that was cut off goes on
//                has done so for a slice                          without a P
//   else                                                          nothing
Retaken Retake(int64_t now);

}  // namespace gort::rt

#endif  // GORT_SYSMON_RETAKE_H_
