// rt0/rt0_arm64.S: what every arm64 entry point does next.
#include "gort/platforms/asm.h"

// In    x1 = argc, x2 = argv, x5 = exit function of the loader, x6 = end of the stack; sp aligned.
// Does  __libc_start_main(main, argc, argv, nullptr, nullptr, x5, x6), which initialises the C library
//       and the program's static objects, and calls main (rt0.cc), which goes on to rt0_go. Never
//       returns.
GORT_FUNCTION gort_rt0_arm64
  .cfi_undefined x30
  adrp x0, main
  add x0, x0, #:lo12:main
  mov x3, #0
  mov x4, #0
  bl __libc_start_main
  brk #1
GORT_END gort_rt0_arm64
