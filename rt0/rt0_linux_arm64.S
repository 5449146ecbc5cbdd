// rt0/rt0_linux_arm64.S: the ELF entry point of a gort program on linux/arm64.
#include "gort/platforms/asm.h"

// The kernel enters with sp -> argc, argv[0] .. argv[argc-1], null, envp .., auxv, and x0 = the dynamic
// loader's exit function (0 in a static program). The outermost frame: no return address.
GORT_FUNCTION _rt0_arm64_linux
  .cfi_undefined x30
  mov x29, #0
  mov x30, #0
  mov x5, x0            // loader's exit function
  ldr x1, [sp]          // argc
  add x2, sp, #8        // argv
  mov x6, sp            // end of the stack
  b gort_rt0_arm64
GORT_END _rt0_arm64_linux
