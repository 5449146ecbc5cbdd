// preempt/repeatable_call_linux_amd64.S: a system call that can be made again after EINTR.
#include "gort/platforms/asm.h"

// long gort_repeatable_call(long number, long a, long b, long c, long d, long e, long f)
//
// The kernel overwrites rax, which held the number, with the result, and leaves the arguments. The number is in rbx meanwhile.
// At gort_repeatable_call_end the call has returned: blocked_call_linux_amd64.cc knows the address.
//
// Unwinding exact at every instruction.
GORT_FUNCTION gort_repeatable_call
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rbx, 0
  movq %rdi, %rbx
  movq %rdi, %rax
  movq %rsi, %rdi
  movq %rdx, %rsi
  movq %rcx, %rdx
  movq %r8, %r10
  movq %r9, %r8
  movq 16(%rsp), %r9
  syscall
  .globl gort_repeatable_call_end
  .hidden gort_repeatable_call_end
gort_repeatable_call_end:
  popq %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore rbx
  ret
GORT_END gort_repeatable_call
GORT_END_OF_FILE
