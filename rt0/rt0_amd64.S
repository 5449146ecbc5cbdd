// rt0/rt0_amd64.S: what every amd64 entry point does next.
#include "gort/platforms/asm.h"

// In    rdi = argv, rsi = argc, r9 = exit function of the loader, rax = end of the stack; rsp aligned.
// Does  __libc_start_main(main, argc, argv, nullptr, nullptr, r9, rax), which initialises the C library
//       and the program's static objects, and calls main (rt0.cc), which goes on to rt0_go. Never
//       returns.
GORT_FUNCTION gort_rt0_amd64
  .cfi_undefined %rip
  movq %rdi, %rdx
  leaq main(%rip), %rdi
  xorl %ecx, %ecx
  xorl %r8d, %r8d
  pushq %rax
  .cfi_adjust_cfa_offset 8
  pushq %rax            // seventh argument, and alignment
  .cfi_adjust_cfa_offset 8
  callq *__libc_start_main@GOTPCREL(%rip)
  hlt
GORT_END gort_rt0_amd64
