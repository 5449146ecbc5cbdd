// platforms/asm.h: what every assembly file begins with.
// What      GORT_FUNCTION / GORT_END give a routine its section, alignment, type, size, hidden
//           visibility and CFI frame from one macro pair; a missing or stray end fails to assemble.
// Layer     2. Included by .S files only.
#ifndef GORT_PLATFORMS_ASM_H_
#define GORT_PLATFORMS_ASM_H_

// clang-format off

.section .note.GNU-stack, "", %progbits

// GORT_FUNCTION name: opens a global routine, hidden outside of the program or library.
.macro GORT_FUNCTION name:req
  .ifdef gort_asm_open
    .if gort_asm_open
      .error "GORT_FUNCTION inside another routine"
    .endif
  .endif
  .set gort_asm_open, 1
  .text
  .p2align 4
  .globl \name
  .hidden \name
  .type \name, %function
\name:
  .cfi_startproc
.endm

// GORT_END name: closes it.
.macro GORT_END name:req
  .ifndef gort_asm_open
    .error "GORT_END without GORT_FUNCTION"
  .endif
  .if !gort_asm_open
    .error "GORT_END without GORT_FUNCTION"
  .endif
  .set gort_asm_open, 0
  .cfi_endproc
  .size \name, . - \name
.endm

// clang-format on

#endif  // GORT_PLATFORMS_ASM_H_
