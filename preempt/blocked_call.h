// preempt/blocked_call.h: system calls that a signal of ours has met.
// What      recognises a system call in what a signal interrupted: the goroutine is about to make it,
//           or the signal has ended it. Such a call needs no P, and code that never saw EINTR from it
//           shall not see it because of us. The kernel ends a call that waits when a signal comes.
//           What the handler then sees, and how the call is made again:
//
//             the kernel prepared   pc is on the instruction and the registers are those of the
//             another try           call: the call is made as it stands
//             EINTR, where a call   all registers but the result are untouched, and the number is
//             keeps its arguments   in the instruction before, or in a register that it names
//                                   (amd64): the call is made from the start, so that a relative
//                                   timeout begins anew. A number that is not there is lost
//             EINTR, where it does  the first argument is gone (arm64): a sleep for a time is made
//             not                   again, others end with EINTR
//             fewer bytes than      of a call that moves bytes until all are moved (write, send, recv
//             it was asked for      with MSG_WAITALL, sendfile, getrandom, /dev/zero and urandom): the
//                                   call is made for the rest, and returns the sum (amd64). It may
//                                   have ended so by itself, in that instant; then the rest returns
//                                   at once, but for a timeout of the socket's, which begins anew
//             EINTR in syscall(2)   what the kernel overwrites is kept (libc_calls.cc), so that the call
//                                   is made again on every CPU
//
//           A handler of the application's may have ended the call instead, and ours came just then:
//           whether it can have been ours says the thread's CPU time (preempt.cc).
//           Signals go to threads that run (TakePFromSleeper serves the others), so this is for one
//           that goes to sleep between the asker's look and the signal, and for one that has been
//           woken and waits for a CPU.
// Layer     7. Signal handlers.
#ifndef GORT_PREEMPT_BLOCKED_CALL_H_
#define GORT_PREEMPT_BLOCKED_CALL_H_

#include <cstdint>

#include "gort/platforms/sigctx.h"

extern "C" {
// Makes a system call; returns what the kernel returns. When our signal ends it with EINTR it can be
// made again. In repeatable_call_<os>_<cpu>.S.
long gort_repeatable_call(long number, long a, long b, long c, long d, long e, long f);
// Where it returns from the kernel. Not callable.
extern const char gort_repeatable_call_end[];
// Makes the rest of a call that was cut short (amd64), behind its system call. Not callable. In
// repeatable_call_linux_amd64.S.
extern const char gort_rest_of_call_end[];
}

namespace gort::rt {

// Whether the call with this number may be made again after EINTR: not if it has had its effect, nor
// if what it waits for is a signal.
bool MayRepeat(uint64_t number);

struct BlockedCall {
  enum class State {
    kNone,
    kNext,   // the next instruction makes it
    kEnded,  // a signal has ended it, and it may be made again
  };
  State state = State::kNone;
  // kEnded: what the register held where the result is now. The number (amd64), or the first
  // argument (arm64).
  uint64_t overwritten = 0;
  // kEnded: so many bytes had been moved. The call is made again for the rest.
  uint64_t moved = 0;
};

// The rest is in blocked_call_<os>_<cpu>.cc.

// The call that a signal with this context has met.
BlockedCall BlockedCallOf(const SigCtx& ctx);
// Takes *ctx, of which call was told, back to a call that has ended.
void BlockedCallRewind(SigCtx& ctx, const BlockedCall& call);

}  // namespace gort::rt

#endif  // GORT_PREEMPT_BLOCKED_CALL_H_
