// rt0/rt0_linux_amd64.S: the ELF entry point of a gort program on linux/amd64.
#include "gort/platforms/asm.h"

// The kernel enters with rsp -> argc, argv[0] .. argv[argc-1], null, envp .., auxv, and rdx = the dynamic
// loader's exit function (0 in a static program). The outermost frame: no return address.
GORT_FUNCTION _rt0_amd64_linux
  .cfi_undefined %rip
  xorl %ebp, %ebp
  movq (%rsp), %rsi     // argc
  leaq 8(%rsp), %rdi    // argv
  movq %rdx, %r9        // loader's exit function
  movq %rsp, %rax       // end of the stack
  andq $-16, %rsp
  jmp gort_rt0_amd64
GORT_END _rt0_amd64_linux
