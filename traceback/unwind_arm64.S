// traceback/unwind_arm64.S: _Unwind_Backtrace from any context.
#include "gort/platforms/asm.h"
#include "gort/traceback/arch.h"

// Column `col` was saved at x19 + 8 * n: DW_CFA_expression col, { DW_OP_breg19 8 * n }, the offset as a
// signed LEB128 of two bytes.
.macro SAVED_IN_RECORD col:req, n:req
  .cfi_escape 0x10, \col, 3, 0x83, ((\n * 8) & 0x7f) | 0x80, (\n * 8) >> 7
.endm

// int gort_unwind_from(const UnwindRegs* regs /* x0 */, _Unwind_Trace_Fn fn /* x1 */, void* arg /* x2 */)
// int gort_unwind_from_signal(the same)
//
//   return _Unwind_Backtrace(fn, arg), which finds, in the place of our caller, the context in *regs
//
// How       while the call is running, the CFI says that every register of the calling frame lies in *regs.
//           An interrupted leaf function has its own return address in x30 while pc is elsewhere, so the
//           return address gets the column that the ABI has for this, 96.
// Signal    see unwind_amd64.S.
// Before and after the call the CFI has no return address: a profiler's walk ends here.
.macro UNWIND_FROM name:req, signal
GORT_FUNCTION \name
  .cfi_return_column 96
  .ifnb \signal
  .cfi_signal_frame
  .endif
  stp x29, x30, [sp, #-32]!
  .cfi_def_cfa_offset 32
  .cfi_rel_offset x29, 0
  .cfi_rel_offset x30, 8
  str x19, [sp, #16]
  .cfi_rel_offset x19, 16
  mov x29, sp
  mov x19, x0
  mov x0, x1
  mov x1, x2
  .cfi_remember_state
  // DW_CFA_def_cfa_expression { DW_OP_breg19 8 * GORT_UNWIND_SP; DW_OP_deref }
  .cfi_escape 0x0f, 4, 0x83, ((GORT_UNWIND_SP * 8) & 0x7f) | 0x80, (GORT_UNWIND_SP * 8) >> 7, 0x06
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
  SAVED_IN_RECORD \n, \n
  .endr
  SAVED_IN_RECORD 96, GORT_UNWIND_PC
  bl _Unwind_Backtrace
  .cfi_restore_state
  ldr x19, [sp, #16]
  ldp x29, x30, [sp], #32
  ret
GORT_END \name
.endm

UNWIND_FROM gort_unwind_from
UNWIND_FROM gort_unwind_from_signal, signal
