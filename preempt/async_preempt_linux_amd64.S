// preempt/async_preempt_linux_amd64.S: where a pre-empted goroutine waits.
#include "gort/platforms/asm.h"
#include "gort/preempt/arch.h"

// Register `n` of DWARF was saved at rsp + off: DW_CFA_expression n, { DW_OP_breg7 off }, the offset as a signed
// LEB128 of two bytes.
.macro SAVED_AT n:req, off:req
  .cfi_escape 0x10, \n, 3, 0x77, ((\off) & 0x7f) | 0x80, (\off) >> 7
.endm

// Entered from a signal handler's return, rsp = AsyncFrame (the kernel's ucontext), 16-byte aligned. Not callable.
//
//   empty the x87 stack
//   gort_async_preempt2(frame /* rdi */)     gives the P up; back when the goroutine runs again
//   rt_sigreturn                             loads every register from the frame, rip and rsp among them
//
// Clobbers  anything: all of the goroutine's registers are in the frame.
// Stack     rsp does not change in this routine. The call's return address falls on the 8 bytes below the ucontext,
//           where rt_sigreturn expects, and ignores, a handler's.
// Unwinding exact at every instruction: a signal frame whose registers lie in the ucontext.
GORT_FUNCTION gort_async_preempt
  .cfi_signal_frame
  // DW_CFA_def_cfa_expression { DW_OP_breg7 GORT_ASYNC_SP; DW_OP_deref }
  .cfi_escape 0x0f, 4, 0x77, (GORT_ASYNC_SP & 0x7f) | 0x80, GORT_ASYNC_SP >> 7, 0x06
  SAVED_AT 8, GORT_ASYNC_GREGS
  SAVED_AT 9, GORT_ASYNC_GREGS + 8
  SAVED_AT 10, GORT_ASYNC_GREGS + 16
  SAVED_AT 11, GORT_ASYNC_GREGS + 24
  SAVED_AT 12, GORT_ASYNC_GREGS + 32
  SAVED_AT 13, GORT_ASYNC_GREGS + 40
  SAVED_AT 14, GORT_ASYNC_GREGS + 48
  SAVED_AT 15, GORT_ASYNC_GREGS + 56
  SAVED_AT 5, GORT_ASYNC_GREGS + 64
  SAVED_AT 4, GORT_ASYNC_GREGS + 72
  SAVED_AT 6, GORT_ASYNC_GREGS + 80
  SAVED_AT 3, GORT_ASYNC_GREGS + 88
  SAVED_AT 1, GORT_ASYNC_GREGS + 96
  SAVED_AT 0, GORT_ASYNC_GREGS + 104
  SAVED_AT 2, GORT_ASYNC_GREGS + 112
  SAVED_AT 16, GORT_ASYNC_PC
  // An unwinder that takes the pc for a return address looks up the byte before it.
  nop
  fninit
  movq %rsp, %rdi
  callq gort_async_preempt2
  movl $GORT_ASYNC_SIGRETURN, %eax
  syscall
  ud2
GORT_END gort_async_preempt
GORT_END_OF_FILE
