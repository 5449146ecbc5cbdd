// gmp/asm_offsets.h: the numbers that assembly and C++ share.
// What      macros for the .S files on top; below, for C++, an assertion per macro.
// Layer     4. Check() repeats the assertions' spirit at start-up (gmp/check.h).
#ifndef GORT_GMP_ASM_OFFSETS_H_
#define GORT_GMP_ASM_OFFSETS_H_

// Field offsets in SwitchFrame (gmp/gobuf.h).
#if defined(__x86_64__)
#define GORT_FRAME_BYTES 64
#define GORT_FRAME_MXCSR 0
#define GORT_FRAME_FPUCW 4
#define GORT_FRAME_R15 8
#define GORT_FRAME_R14 16
#define GORT_FRAME_R13 24
#define GORT_FRAME_R12 32
#define GORT_FRAME_RBX 40
#define GORT_FRAME_RBP 48
#define GORT_FRAME_PC 56
#else
#define GORT_FRAME_BYTES 176
#define GORT_FRAME_X29 0
#define GORT_FRAME_X19 16
#define GORT_FRAME_D8 96
#define GORT_FRAME_FPCR 160
#endif

#ifndef __ASSEMBLER__

#include <cstddef>

#include "gort/gmp/gobuf.h"

namespace gort::rt {

#define GORT_ASSERT_OFFSET(macro, field) \
  static_assert(macro == offsetof(SwitchFrame, field), "edit " #macro " in gmp/asm_offsets.h")

static_assert(GORT_FRAME_BYTES == sizeof(SwitchFrame), "edit GORT_FRAME_BYTES");
#if defined(__x86_64__)
GORT_ASSERT_OFFSET(GORT_FRAME_MXCSR, mxcsr);
GORT_ASSERT_OFFSET(GORT_FRAME_FPUCW, fpucw);
GORT_ASSERT_OFFSET(GORT_FRAME_R15, r15);
GORT_ASSERT_OFFSET(GORT_FRAME_R14, r14);
GORT_ASSERT_OFFSET(GORT_FRAME_R13, r13);
GORT_ASSERT_OFFSET(GORT_FRAME_R12, r12);
GORT_ASSERT_OFFSET(GORT_FRAME_RBX, rbx);
GORT_ASSERT_OFFSET(GORT_FRAME_RBP, rbp);
GORT_ASSERT_OFFSET(GORT_FRAME_PC, pc);
#else
GORT_ASSERT_OFFSET(GORT_FRAME_X29, x29);
GORT_ASSERT_OFFSET(GORT_FRAME_X19, x19);
GORT_ASSERT_OFFSET(GORT_FRAME_D8, d8);
GORT_ASSERT_OFFSET(GORT_FRAME_FPCR, fpcr);
#endif

#undef GORT_ASSERT_OFFSET

}  // namespace gort::rt

#endif  // __ASSEMBLER__
#endif  // GORT_GMP_ASM_OFFSETS_H_
