// preempt/repeatable_call_linux_amd64.S: a system call that can be made again after EINTR, and the rest of one that was cut short.
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
// gort_rest_of_call: a system call for what is left of one that our signal has cut short.
//
// Not callable: a signal's handler leads here, with the registers of the call for what is left, and at rsp the RestFrame of
// blocked_call_linux_amd64.cc, 128 bytes below the stack of the code that made the call. Goes on behind that code's call as the
// kernel would have returned to it: all that was moved is in rax, the arguments are untouched, the address is in rcx.
// An error now is not told, as the kernel does not tell it once bytes have been moved.
//
// Unwinding exact at every instruction until rsp is set back, at the last one.
GORT_FUNCTION gort_rest_of_call
  .cfi_signal_frame
  .cfi_def_cfa rsp, 512
  .cfi_offset rip, -464
  syscall
  .globl gort_rest_of_call_end
  .hidden gort_rest_of_call_end
gort_rest_of_call_end:
  testq %rax, %rax
  jns 1f
  xorl %eax, %eax
1:
  addq 0(%rsp), %rax
  movq 8(%rsp), %rdi
  movq 16(%rsp), %rsi
  movq 24(%rsp), %rdx
  movq 32(%rsp), %r10
  movq 48(%rsp), %rcx
  leaq 512(%rsp), %rsp
  .cfi_def_cfa rsp, 0
  .cfi_register rip, rcx
  jmpq *%rcx
GORT_END gort_rest_of_call
GORT_END_OF_FILE
