// preempt/async_offsets.h: the numbers that async_preempt_*.S and async_frame.cc share.
// What      offsets from the stack pointer at gort_async_preempt, which is an AsyncFrame's address,
//           to the registers in it; assertions in async_frame.cc.
#ifndef GORT_PREEMPT_ASYNC_OFFSETS_H_
#define GORT_PREEMPT_ASYNC_OFFSETS_H_

#if defined(__x86_64__)
#define GORT_ASYNC_GREGS 40  // r8, as the kernel orders them
#define GORT_ASYNC_SP 160
#define GORT_ASYNC_PC 168
#define GORT_ASYNC_SIGRETURN 15  // number of rt_sigreturn
#else
#define GORT_ASYNC_GREGS 312  // x0
#define GORT_ASYNC_SP 560
#define GORT_ASYNC_PC 568
#define GORT_ASYNC_SIGRETURN 139
#endif

#endif  // GORT_PREEMPT_ASYNC_OFFSETS_H_
