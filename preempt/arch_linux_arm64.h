// preempt/arch_linux_arm64.h: what preempt asks of arm64, under Linux.
// What      for async_preempt_linux_arm64.S: offsets from the stack pointer at gort_async_preempt,
//           which is an AsyncFrame's address, to the registers in the frame, with assertions in
//           async_frame_linux_arm64.cc. For C++: facts about the ABI.
// Layer     7. Package-internal, and for tests. Included as "gort/preempt/arch.h".
#ifndef GORT_PREEMPT_ARCH_LINUX_ARM64_H_
#define GORT_PREEMPT_ARCH_LINUX_ARM64_H_

#define GORT_ASYNC_GREGS 312      // x0
#define GORT_ASYNC_SP 560         // sp
#define GORT_ASYNC_PC 568         // pc
#define GORT_ASYNC_SIGRETURN 139  // number of rt_sigreturn

#ifndef __ASSEMBLER__

#include <cstdint>

namespace gort::rt::arch {

// Bytes below the stack pointer that a function may use without moving it.
inline constexpr uintptr_t kRedZone = 0;
// True: the thread pointer is at the end of the thread's static TLS and the C library's own record
// of the thread begins there. False: it is the other way round.
inline constexpr bool kTlsBelow = false;
// True: a system call leaves its arguments in their registers, so that each that ended with EINTR
// can be made again (preempt/blocked_call.h).
inline constexpr bool kCallKeepsArguments = false;

}  // namespace gort::rt::arch

#endif  // __ASSEMBLER__
#endif  // GORT_PREEMPT_ARCH_LINUX_ARM64_H_
