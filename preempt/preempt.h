// preempt/preempt.h: taking the CPU away from a goroutine that does not give it up.
// What      the answer to PreemptOne (proc/preempt_request.cc): a signal to the M's thread. Where gort
//           itself works for the goroutine, the handler does nothing, and the asker asks again.
//           Elsewhere, whatever the code is, the handler gives the P away and waits for one
//           (proc/stay.h, the essay).
//
//             asker                       thread
//             PreemptM: signal_pending
//               0 -> 1, tgkill  --------> handler, on gsignal: signal_pending -> 0
//                                         pinned?  return
//                                         the P leaves; the goroutine is queued, wired
//                                         sleep ... a P comes
//                                         return: the interrupted instruction
//
//           A goroutine that has promised that it may move leaves its thread instead: the handler
//           parks the interrupted context on the goroutine's stack (async_frame.h), and
//           gort_async_preempt2 calls Gosched there.
// Calls     a signal that finds the goroutine at a system call lets it make the call without the P.
//           What the signal ended with EINTR is made again where that can be told
//           (blocked_call.h). Goroutines asleep in the kernel are rarely asked: the monitor takes
//           their Ps without a signal (TakePFromSleeper).
// Signal    SIGURG, as in Go: it is ignored by default, and few programs use it.
//           GODEBUG=preemptsignal=N takes another. A signal of that number that PreemptM did not
//           send goes to the application's handler. The kernel does not count signals below 32: one
//           that arrives while ours is pending for the same thread merges with ours, and is lost.
//           One of ours that gets no answer is sent again after some more requests: sigwait(3) and
//           signalfd(2) take signals from the kernel before a handler sees them.
//           An application that installs a handler of its own later takes the signal away.
// Off       GODEBUG=asyncpreemptoff=1; and always under ThreadSanitizer, which calls handlers later
//           and on another context than the one that was interrupted.
// Layer     7.                                                       Go: preempt.go, signal_unix.go
#ifndef GORT_PREEMPT_PREEMPT_H_
#define GORT_PREEMPT_PREEMPT_H_

#include <cstdint>

namespace gort::rt {

// What became of a goroutine that a signal of ours interrupted.
enum class Interrupted : uint8_t {
  kStayed,    // its P left; it waited in the handler until it had one again
  kMoved,     // it left its thread and went on somewhere (GoOptions::may_move)
  kAtCall,    // its P left; it made the system call that it stood at without one
  kNotUserG,  // no goroutine: the scheduler, or another stack's owner
  kPinned,    // nothing: gort itself worked for it (platforms/pins.h)
  kNoP,       // nothing: it was in a system call of EnterSyscall
  kTooMany,   // nothing: as many goroutines as may wait with their threads do
  kTooLate,   // nothing: the one that was meant had left, or a seed rules
  kCount,
};

// Registers the handler and sets sched_hooks.preempt_m, unless pre-emption is off. By
// runtime/internal/boot.cc, after SchedInit and before a second M runs. Go: part of initsig
void PreemptInstall();

// The signal's number: SIGURG, or GODEBUG=preemptsignal. Every M lets it through.
int PreemptSignal();

// How often a signal of ours was answered so; a snapshot of counters that only grow.
int64_t PreemptCount(Interrupted answer);
// "stayed", "moved", …
const char* InterruptedName(Interrupted i);

// How long a goroutine runs before the monitor asks for its P, in nanoseconds: 10 ms, or what
// GODEBUG=preemptrate says.
int64_t TimeSliceNs();

}  // namespace gort::rt

#endif  // GORT_PREEMPT_PREEMPT_H_
