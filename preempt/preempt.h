// preempt/preempt.h: taking the CPU away from a goroutine that does not give it up.
// What      the answer to PreemptOne (proc/preempt_request.cc): a signal to the M's thread. The
//           handler judges the interrupted instruction (safe_point.h). If it is no safe point, the
//           handler does nothing, and the asker asks again. If it is one, the handler parks the
//           interrupted context on the G's stack (async_frame.h), and the G goes to the end of the
//           global queue as if it had called Gosched there.
//
//             asker                       thread
//             PreemptM: signal_pending
//               0 -> 1, tgkill  --------> handler, on gsignal: signal_pending -> 0; judge; push
//                                         gort_async_preempt, on the goroutine's stack
//                                           gort_async_preempt2: Gosched ... resumed, mostly on
//                                           the same thread; retarget the frame
//                                         rt_sigreturn: the interrupted instruction
//
// Signal    SIGURG, as in Go: it is ignored by default, and few programs use it.
//           GODEBUG=preemptsignal=N takes another. A signal of that number that PreemptM did not
//           send goes to the application's handler. The kernel does not count signals below 32: one
//           that arrives while ours is pending for the same thread merges with ours, and is lost.
//           An application that installs a handler of its own later takes the signal away.
// Off       GODEBUG=asyncpreemptoff=1; and always under ThreadSanitizer, which calls handlers later
//           and on another context than the one that was interrupted.
// Layer     7.                                                       Go: preempt.go, signal_unix.go
#ifndef GORT_PREEMPT_PREEMPT_H_
#define GORT_PREEMPT_PREEMPT_H_

#include <cstdint>

#include "gort/preempt/safe_point.h"

namespace gort::rt {

// Registers the handler and sets sched_hooks.preempt_m, unless pre-emption is off. By
// runtime/internal/boot.cc, after SchedInit and before a second M runs. Go: part of initsig
void PreemptInstall();

// The signal's number: SIGURG, or GODEBUG=preemptsignal. Every M lets it through.
int PreemptSignal();

// How often a signal of ours was answered so; a snapshot of counters that only grow.
int64_t PreemptCount(SafePoint answer);

// How long a goroutine runs before the monitor asks for its P, in nanoseconds: 10 ms, or what
// GODEBUG=preemptrate says.
int64_t TimeSliceNs();

}  // namespace gort::rt

#endif  // GORT_PREEMPT_PREEMPT_H_
