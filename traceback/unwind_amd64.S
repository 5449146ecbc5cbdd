// traceback/unwind_amd64.S: _Unwind_Backtrace from any context.
#include "gort/platforms/asm.h"
#include "gort/traceback/arch.h"

// Register number n was saved at rbx + 8 * n: DW_CFA_expression n, { DW_OP_breg3 8 * n }, the offset as a
// signed LEB128 of two bytes.
.macro SAVED_IN_RECORD n:req
  .cfi_escape 0x10, \n, 3, 0x73, ((\n * 8) & 0x7f) | 0x80, (\n * 8) >> 7
.endm

// int gort_unwind_from(const UnwindRegs* regs /* rdi */, _Unwind_Trace_Fn fn /* rsi */, void* arg /* rdx */)
// int gort_unwind_from_signal(the same)
//
//   return _Unwind_Backtrace(fn, arg), which finds, in the place of our caller, the context in *regs
//
// How       while the call is running, the CFI says that every register of the calling frame lies in *regs,
//           the stack pointer and the return address among them.
// Signal    the second form says that regs' pc is that of the next instruction to run, not one after a call,
//           so that the unwinder looks up the pc itself and not the byte before it.
.macro UNWIND_FROM name:req, signal
GORT_FUNCTION \name
  .ifnb \signal
  .cfi_signal_frame
  .endif
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbx, 0
  movq %rdi, %rbx
  movq %rsi, %rdi
  movq %rdx, %rsi
  .cfi_remember_state
  // DW_CFA_def_cfa_expression { DW_OP_breg3 8 * GORT_UNWIND_SP; DW_OP_deref }
  .cfi_escape 0x0f, 4, 0x73, ((GORT_UNWIND_SP * 8) & 0x7f) | 0x80, (GORT_UNWIND_SP * 8) >> 7, 0x06
  .irp n, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16
  SAVED_IN_RECORD \n
  .endr
  callq _Unwind_Backtrace@PLT
  .cfi_restore_state
  popq %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_same_value %rbx
  ret
GORT_END \name
.endm

UNWIND_FROM gort_unwind_from
UNWIND_FROM gort_unwind_from_signal, signal
