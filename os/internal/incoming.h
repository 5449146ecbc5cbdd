// os/internal/incoming.h: from the signal handler to a goroutine.
// What      a set of signals that are wanted, and a set of those that have come. The handler puts a
//           signal that is wanted into the second set and makes an eventfd readable, for which one
//           goroutine waits in the poller.
// Layer     12, used by os only.                          Go: sigqueue.go
// Handler   async-signal-safe, on any thread: atomics, and write(2) for the first signal of a set.
// Ordering  all seq_cst. The handler counts itself in `noting` before it looks at `wanted`, and out
//           after it has added to `pending`; Unwant takes the signal off `wanted` and then waits
//           for noting == 0. So a signal of which the handler said that it is wanted is in
//           `pending` when Unwant returns. Go: sigsend, signalWaitUntilIdle
//           Take empties `pending` after it has forgotten old edges, so that a signal that it
//           misses makes an edge that WaitIncoming finds.
#ifndef GORT_OS_INTERNAL_INCOMING_H_
#define GORT_OS_INTERNAL_INCOMING_H_

#include <cstdint>

#include "gort/netpoll/internal/poll_desc.h"

namespace gort::rt {

// Bit sig - 1 stands for signal sig.
using SignalBits = uint64_t;
constexpr SignalBits SignalBit(int sig) { return SignalBits{1} << (sig - 1); }

// The eventfd as the poller knows it; null: the runtime has not started. PollUnblock and PollClose
// end its use. Throws Panic: no descriptor is left. One at a time.
PollDesc* OpenIncoming();

// Calls for the same signal take turns. Want: false: the signal cannot be caught.
bool Want(int sig);
// The signal has its default action, or its former handler, again.
void Unwant(int sig);

// What has come since the last call, and is not in the set any more. pd: null, or what the caller
// will wait with.
SignalBits TakeIncoming(PollDesc* pd);
// Waits until something has come since the last TakeIncoming with pd, or WakeIncoming.
void WaitIncoming(PollDesc* pd);
// Wakes the goroutine that waits.
void WakeIncoming();

}  // namespace gort::rt

#endif  // GORT_OS_INTERNAL_INCOMING_H_
