// preempt/async_frame.h: an interrupted context, parked on its goroutine's stack.
// What      the handler copies the kernel's signal frame to the G's stack, below what is in use
//           there, and makes the thread return into gort_async_preempt with that copy on top of the
//           stack. When the G runs again, rt_sigreturn(2) loads the copy.
//
// Why the kernel's frame   a goroutine has to continue between any two instructions, with no
//           register to spare. No sequence of instructions does that on arm64: whatever branches
//           needs the address in a register. rt_sigreturn loads pc, sp, flags and all registers at
//           once; that is what it is for, and every return from a signal handler is the proof.
//           And the frame holds every register: the kernel wrote it with XSAVE in the size that the
//           process has in use (AVX-512, AMX, what comes next), on arm64 with a record for each of
//           FPSIMD, SVE, ZA. gort need not know what is in them.
//           Rejected: pushing registers in assembly and returning with `ret $128` on amd64. It
//           saves a system call, 100 times a second, and has to be told of every extension.
// Another thread   rt_sigreturn sets the signal mask and the alternate signal stack too, and may
//           run on another thread than the signal did. AsyncFrameRetarget puts the resuming
//           thread's own into the frame, and blocks signals until rt_sigreturn has used them. Pointers into the frame (the FP area on amd64, the extra
//           record on arm64) are made to point into the copy when it is made; the copy does not
//           move.
// Red zone  arch::kRedZone bytes below the stack pointer are the interrupted function's.
// Layer     7. AsyncFrameBytes, AsyncFramePush: signal handlers.
#ifndef GORT_PREEMPT_ASYNC_FRAME_H_
#define GORT_PREEMPT_ASYNC_FRAME_H_

#include <cstddef>
#include <cstdint>

#include "gort/platforms/sigctx.h"

extern "C" {
// Where an interrupted thread returns to, its stack pointer at an AsyncFrame. Not callable.
void gort_async_preempt();
}

namespace gort::rt {

// Of the C library's sigset_t, which ends a ucontext, the kernel writes and reads this much.
inline constexpr size_t kKernelSigSetBytes = 8;

// In async_frame_<os>_<cpu>.cc.
struct AsyncFrame;

// Bytes that AsyncFramePush needs below the interrupted stack pointer, red zone included; 0: the
// kernel's frame is not of a form that is known, and must be left alone.
size_t AsyncFrameBytes(const SigCtx& ctx);
// Copies *ctx to the stack it interrupted and makes it return to gort_async_preempt. Requires:
// AsyncFrameBytes(ctx) writable bytes below ctx.sp().
void AsyncFramePush(SigCtx& ctx);

// The parked registers. Behind uc_sigmask the frame has no more than the kernel wrote.
ucontext_t* AsyncFrameContext(AsyncFrame* frame);
// Makes the frame one of the calling thread, which blocks every signal from here on: rt_sigreturn gives it its mask back. A
// goroutine that could be interrupted in between could be moved once more, and then make this thread's signal stack
// another's.
void AsyncFrameRetarget(AsyncFrame* frame);

}  // namespace gort::rt

#endif  // GORT_PREEMPT_ASYNC_FRAME_H_
