// preempt/repeatable_call_linux_arm64.S: a system call that can be made again after EINTR.
#include "gort/platforms/asm.h"

// long gort_repeatable_call(long number, long a, long b, long c, long d, long e, long f)
//
// The kernel overwrites x0, which held the first argument, with the result, and leaves the others and the number. The first
// argument is in x19 meanwhile. At gort_repeatable_call_end the call has returned: blocked_call_linux_arm64.cc knows the address.
//
// Unwinding exact at every instruction.
GORT_FUNCTION gort_repeatable_call
  str x19, [sp, #-16]!
  .cfi_adjust_cfa_offset 16
  .cfi_rel_offset x19, 0
  mov x8, x0
  mov x19, x1
  mov x0, x1
  mov x1, x2
  mov x2, x3
  mov x3, x4
  mov x4, x5
  mov x5, x6
  svc #0
  .globl gort_repeatable_call_end
  .hidden gort_repeatable_call_end
gort_repeatable_call_end:
  ldr x19, [sp], #16
  .cfi_adjust_cfa_offset -16
  .cfi_restore x19
  ret
GORT_END gort_repeatable_call
GORT_END_OF_FILE
