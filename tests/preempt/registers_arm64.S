// tests/preempt/registers_arm64.S: see registers.h.
#include "gort/platforms/asm.h"

// void Spin(State* state /* x0 */, uint64_t spins /* x1 */)
// The counter is at sp, the state's address at sp + 8.
.macro SPIN name:req, scratch:req, other:req
GORT_FUNCTION \name
  sub sp, sp, #208
  .cfi_def_cfa_offset 208
  stp x29, x30, [sp, #16]
  .cfi_rel_offset x29, 16
  .cfi_rel_offset x30, 24
  stp x19, x20, [sp, #32]
  .cfi_rel_offset x19, 32
  .cfi_rel_offset x20, 40
  stp x21, x22, [sp, #48]
  .cfi_rel_offset x21, 48
  .cfi_rel_offset x22, 56
  stp x23, x24, [sp, #64]
  .cfi_rel_offset x23, 64
  .cfi_rel_offset x24, 72
  stp x25, x26, [sp, #80]
  .cfi_rel_offset x25, 80
  .cfi_rel_offset x26, 88
  stp x27, x28, [sp, #96]
  .cfi_rel_offset x27, 96
  .cfi_rel_offset x28, 104
  stp d8, d9, [sp, #112]
  stp d10, d11, [sp, #128]
  stp d12, d13, [sp, #144]
  stp d14, d15, [sp, #160]
  mrs x2, fpcr
  str x2, [sp, #176]
  str x18, [sp, #184]
  str x1, [sp]
  str x0, [sp, #8]
  ldr x2, [x0, #256]
  msr fpcr, x2
  ldr x2, [x0, #264]
  msr fpsr, x2
  ldr x2, [x0, #248]
  msr nzcv, x2
  add x2, x0, #288
  .irp n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
  ldr q\n, [x2, #(16 * \n)]
  .endr
  .irp n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
  ldr q\n, [x2, #(16 * \n)]
  .endr
  .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
  ldr x\n, [x0, #(8 * \n)]
  .endr
  ldr x0, [x0]
1:
  ldr \scratch, [sp]
  sub \scratch, \scratch, #1  // leaves the flags alone
  str \scratch, [sp]
  cbnz \scratch, 1b
  ldr \scratch, [sp, #8]
  str \other, [sp]
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
  str x\n, [\scratch, #(8 * \n)]
  .endr
  mrs \other, nzcv
  str \other, [\scratch, #248]
  mrs \other, fpcr
  str \other, [\scratch, #256]
  mrs \other, fpsr
  str \other, [\scratch, #264]
  add \other, \scratch, #288
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  str q\n, [\other, #(16 * \n)]
  .endr
  ldr x18, [sp, #184]
  ldr x2, [sp, #176]
  msr fpcr, x2
  ldp d8, d9, [sp, #112]
  ldp d10, d11, [sp, #128]
  ldp d12, d13, [sp, #144]
  ldp d14, d15, [sp, #160]
  ldp x27, x28, [sp, #96]
  ldp x25, x26, [sp, #80]
  ldp x23, x24, [sp, #64]
  ldp x21, x22, [sp, #48]
  ldp x19, x20, [sp, #32]
  ldp x29, x30, [sp, #16]
  add sp, sp, #208
  .cfi_def_cfa_offset 0
  ret
GORT_END \name
.endm

SPIN _ZN9registers7SpinX28EPNS_5StateEm, x28, x2
SPIN _ZN9registers6SpinX1EPNS_5StateEm, x1, x2
GORT_END_OF_FILE
