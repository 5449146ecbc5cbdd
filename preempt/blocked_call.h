// preempt/blocked_call.h: system calls of code that knows nothing of gort.
// What      recognising one in what a signal interrupted, and making it in another place.
// How       the kernel ends a blocking call for a signal. Most calls it prepares to be made again
//           after the handler: pc is on the instruction and the registers are those of the call.
//           The others return EINTR; on amd64 all registers but the result are untouched, and the
//           number is in the instruction before. These are made again from the start, so a relative
//           timeout begins anew, once. On arm64 the first argument is gone: only sleeping
//           for a time is made again there; poll, epoll_wait, select and waits with a timeout on a
//           futex end with EINTR, as the manual says that they may, and keep the P.
// Which     those that wait for others and that are none of the thread's own affairs (no exit, no
//           clone, no sigreturn).
// Layer     7. Signal handlers, but for BlockedCallMake.
#ifndef GORT_PREEMPT_BLOCKED_CALL_H_
#define GORT_PREEMPT_BLOCKED_CALL_H_

#include <ucontext.h>

#include <cstdint>

#include "gort/platforms/sigctx.h"

namespace gort::rt {

// Whether the system call with this number is one that waits for others.
bool BlockedCallIs(uint64_t number);

// The rest is in blocked_call_<os>_<cpu>.cc.

// True when *ctx is about to make such a call, or when one was ended by this signal.
bool BlockedCallAt(const SigCtx& ctx);
// Makes *ctx be about to make it, if it was ended. Requires: BlockedCallAt(ctx).
void BlockedCallRewind(SigCtx& ctx);
// Makes the call for *uc, which is about to, and leaves *uc as it is after the call.
void BlockedCallMake(ucontext_t* uc);

}  // namespace gort::rt

#endif  // GORT_PREEMPT_BLOCKED_CALL_H_
