// gmp/switch_arm64.S: the context switch for AAPCS64.
#include "gort/gmp/arch.h"
#include "gort/platforms/asm.h"

// void gort_switch(uintptr_t* save /* x0 */, uintptr_t to_sp /* x1 */)
//
//   push a SwitchFrame: x29 x30 x19..x28 d8..d15 FPCR
//   *save = sp
//   sp = to_sp
//   if FPCR there differs from ours: load it
//   pop the SwitchFrame; return to its pc
//
// Clobbers  x9 x10 x11 and every caller-saved register, by the ABI. Not saved: caller-saved registers,
//           the upper halves of v8..v15 (dead at a call), x18 (the platform's).
// Unwinding exact at every instruction: the frame of either context has the same shape.
GORT_FUNCTION gort_switch
  sub sp, sp, #GORT_FRAME_BYTES
  .cfi_def_cfa_offset GORT_FRAME_BYTES
  stp x29, x30, [sp, #GORT_FRAME_X29]
  .cfi_rel_offset x29, GORT_FRAME_X29
  .cfi_rel_offset x30, GORT_FRAME_X29 + 8
  stp x19, x20, [sp, #GORT_FRAME_X19]
  .cfi_rel_offset x19, GORT_FRAME_X19
  .cfi_rel_offset x20, GORT_FRAME_X19 + 8
  stp x21, x22, [sp, #GORT_FRAME_X19 + 16]
  .cfi_rel_offset x21, GORT_FRAME_X19 + 16
  .cfi_rel_offset x22, GORT_FRAME_X19 + 24
  stp x23, x24, [sp, #GORT_FRAME_X19 + 32]
  .cfi_rel_offset x23, GORT_FRAME_X19 + 32
  .cfi_rel_offset x24, GORT_FRAME_X19 + 40
  stp x25, x26, [sp, #GORT_FRAME_X19 + 48]
  .cfi_rel_offset x25, GORT_FRAME_X19 + 48
  .cfi_rel_offset x26, GORT_FRAME_X19 + 56
  stp x27, x28, [sp, #GORT_FRAME_X19 + 64]
  .cfi_rel_offset x27, GORT_FRAME_X19 + 64
  .cfi_rel_offset x28, GORT_FRAME_X19 + 72
  stp d8, d9, [sp, #GORT_FRAME_D8]
  .cfi_rel_offset d8, GORT_FRAME_D8
  .cfi_rel_offset d9, GORT_FRAME_D8 + 8
  stp d10, d11, [sp, #GORT_FRAME_D8 + 16]
  .cfi_rel_offset d10, GORT_FRAME_D8 + 16
  .cfi_rel_offset d11, GORT_FRAME_D8 + 24
  stp d12, d13, [sp, #GORT_FRAME_D8 + 32]
  .cfi_rel_offset d12, GORT_FRAME_D8 + 32
  .cfi_rel_offset d13, GORT_FRAME_D8 + 40
  stp d14, d15, [sp, #GORT_FRAME_D8 + 48]
  .cfi_rel_offset d14, GORT_FRAME_D8 + 48
  .cfi_rel_offset d15, GORT_FRAME_D8 + 56
  mrs x9, fpcr
  str x9, [sp, #GORT_FRAME_FPCR]
  mov x10, sp
  str x10, [x0]
  mov sp, x1
  ldr x10, [sp, #GORT_FRAME_FPCR]
  cmp x9, x10
  b.eq 1f
  msr fpcr, x10
1:
  ldp d8, d9, [sp, #GORT_FRAME_D8]
  ldp d10, d11, [sp, #GORT_FRAME_D8 + 16]
  ldp d12, d13, [sp, #GORT_FRAME_D8 + 32]
  ldp d14, d15, [sp, #GORT_FRAME_D8 + 48]
  ldp x19, x20, [sp, #GORT_FRAME_X19]
  ldp x21, x22, [sp, #GORT_FRAME_X19 + 16]
  ldp x23, x24, [sp, #GORT_FRAME_X19 + 32]
  ldp x25, x26, [sp, #GORT_FRAME_X19 + 48]
  ldp x27, x28, [sp, #GORT_FRAME_X19 + 64]
  ldp x29, x30, [sp, #GORT_FRAME_X29]
  .cfi_same_value x29
  .cfi_same_value x30
  .cfi_same_value x19
  .cfi_same_value x20
  .cfi_same_value x21
  .cfi_same_value x22
  .cfi_same_value x23
  .cfi_same_value x24
  .cfi_same_value x25
  .cfi_same_value x26
  .cfi_same_value x27
  .cfi_same_value x28
  .cfi_same_value d8
  .cfi_same_value d9
  .cfi_same_value d10
  .cfi_same_value d11
  .cfi_same_value d12
  .cfi_same_value d13
  .cfi_same_value d14
  .cfi_same_value d15
  add sp, sp, #GORT_FRAME_BYTES
  .cfi_def_cfa_offset 0
  ret
GORT_END gort_switch

// void gort_systemstack(void (*fn)(void*) /* x0 */, void* arg /* x1 */, uintptr_t top /* x2 */)
//
//   save sp in x29; sp = top; fn(arg); sp = x29; return
//
// Unwinding goes from fn's frames through this one to the caller's stack.
GORT_FUNCTION gort_systemstack
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_rel_offset x29, 0
  .cfi_rel_offset x30, 8
  mov x29, sp
  .cfi_def_cfa_register x29
  mov sp, x2
  mov x9, x0
  mov x0, x1
  blr x9
  mov sp, x29
  .cfi_def_cfa_register sp
  ldp x29, x30, [sp], #16
  .cfi_same_value x29
  .cfi_same_value x30
  .cfi_def_cfa_offset 0
  ret
GORT_END gort_systemstack

// Entered by gort_switch's ret with x19 = fn, x20 = arg. Calls fn(arg) as if from gort_goexit.
GORT_FUNCTION gort_gostart
  mov x0, x20
  mov x29, xzr
  adrp x30, gort_goexit
  add x30, x30, #:lo12:gort_goexit
  add x30, x30, #4
  br x19
GORT_END gort_gostart

// void gort_begin_again(uintptr_t top /* x0 */, void (*fn)(void*) /* x1 */, void* arg /* x2 */)
GORT_FUNCTION gort_begin_again
  .cfi_undefined x30
  mov sp, x0
  mov x0, x2
  mov x29, xzr
  adrp x30, gort_goexit
  add x30, x30, #:lo12:gort_goexit
  add x30, x30, #4
  br x1
GORT_END gort_begin_again
