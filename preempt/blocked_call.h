// preempt/blocked_call.h: system calls of code that knows nothing of gort.
// What      recognises a system call in what a signal interrupted, and makes that call in another
//           place, after the P has been given up.
// How       the kernel ends a call that waits when a signal comes. What the handler then sees, and
//           how the call is made again:
//
//             the kernel prepared   pc is on the instruction and the registers are those of the
//             another try           call: the call is made as it stands
//             EINTR, where a call   all registers but the result are untouched, and the number is
//             keeps its arguments   in the instruction before (amd64): the call is made from the
//                                   start, so that a relative timeout begins anew, once
//             EINTR, where it does  the first argument is gone (arm64): a sleep for a time is made
//             not                   again; poll, epoll_wait, select and waits with a timeout on a
//                                   futex end with EINTR, as their manuals allow, and keep the P
//
// Which     calls that wait for others. A call that is the thread's own affair (exit, clone,
//           sigreturn) is none of them.
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

// True when the next instruction of *ctx is such a call, or when this signal has ended one.
bool BlockedCallAt(const SigCtx& ctx);
// Takes *ctx back to the call, if the signal has ended it. Requires: BlockedCallAt(ctx).
void BlockedCallRewind(SigCtx& ctx);
// Makes the call that is the next instruction of *uc, and leaves *uc as it is after the call.
void BlockedCallMake(ucontext_t* uc);

}  // namespace gort::rt

#endif  // GORT_PREEMPT_BLOCKED_CALL_H_
