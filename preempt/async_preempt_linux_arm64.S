// preempt/async_preempt_linux_arm64.S: where a pre-empted goroutine waits.
#include "gort/platforms/asm.h"
#include "gort/preempt/arch.h"

// Column `col` was saved at sp + off: DW_CFA_expression col, { DW_OP_breg31 off }, the offset as a signed LEB128 of
// two bytes.
.macro SAVED_AT col:req, off:req
  .cfi_escape 0x10, \col, 3, 0x8f, ((\off) & 0x7f) | 0x80, (\off) >> 7
.endm

// Entered from a signal handler's return, sp = AsyncFrame (the kernel's rt_sigframe), 16-byte aligned. Not callable.
//
//   gort_async_preempt2(frame /* x0 */)      gives the P up; back when the goroutine runs again
//   rt_sigreturn                             loads every register from the frame, pc and sp among them
//
// Clobbers  anything: all of the goroutine's registers are in the frame.
// Stack     sp does not change in this routine.
// Unwinding exact at every instruction for the general registers: a signal frame whose registers lie in the
//           ucontext. An interrupted leaf function has its return address in x30 while pc is elsewhere, so the return
//           address gets the column that the ABI has for this, 96.
GORT_FUNCTION gort_async_preempt
  .cfi_return_column 96
  .cfi_signal_frame
  // DW_CFA_def_cfa_expression { DW_OP_breg31 GORT_ASYNC_SP; DW_OP_deref }
  .cfi_escape 0x0f, 4, 0x8f, (GORT_ASYNC_SP & 0x7f) | 0x80, GORT_ASYNC_SP >> 7, 0x06
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
  SAVED_AT \n, GORT_ASYNC_GREGS + 8 * \n
  .endr
  SAVED_AT 96, GORT_ASYNC_PC
  // An unwinder that takes the pc for a return address looks up the instruction before it.
  nop
  mov x0, sp
  bl gort_async_preempt2
  mov x8, #GORT_ASYNC_SIGRETURN
  svc #0
  brk #1
GORT_END gort_async_preempt
GORT_END_OF_FILE
