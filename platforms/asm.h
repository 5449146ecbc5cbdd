// platforms/asm.h: what every assembly file begins with.
// What      GORT_FUNCTION / GORT_END give a routine its section, alignment, type, size, hidden
//           visibility and CFI frame from one macro pair; a missing or stray end fails to assemble.
// Layer     2. Included by .S files only, at their top.
// Use       #include "gort/platforms/asm.h"
//           // extern "C" uint64_t gort_answer();
//           GORT_FUNCTION gort_answer
//             …
//             ret
//           GORT_END gort_answer
//           GORT_END_OF_FILE
// Note      the assembler's macros, not the preprocessor's, so that its errors name the right line.
//           This is assembly: clang-format must keep out.
#ifndef GORT_PLATFORMS_ASM_H_
#define GORT_PLATFORMS_ASM_H_

#ifndef __ASSEMBLER__
#error "platforms/asm.h is for assembly files"
#endif

// clang-format off

// The stack of a program that links this file stays non-executable.
.section .note.GNU-stack, "", %progbits
.text

.set gort_asm_open, 0

// GORT_FUNCTION name: opens a routine that the whole program or library sees, and nobody outside.
.macro GORT_FUNCTION name:req
  .if gort_asm_open
    .error "GORT_FUNCTION inside another routine: GORT_END is missing"
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
  .if !gort_asm_open
    .error "GORT_END without GORT_FUNCTION"
  .endif
  .set gort_asm_open, 0
  .cfi_endproc
  .size \name, . - \name
.endm

// The last line of the file: catches a missing GORT_END.
.macro GORT_END_OF_FILE
  .if gort_asm_open
    .error "GORT_END is missing at the end of the file"
  .endif
.endm

// clang-format on

#endif  // GORT_PLATFORMS_ASM_H_
