#include "gort/platforms/asm.h"

// extern "C" uint64_t gort_asm_answer();   returns 42 in %rax
GORT_FUNCTION gort_asm_answer
  movl $42, %eax
  ret
GORT_END gort_asm_answer

// extern "C" uint64_t gort_asm_twice(uint64_t n);   n in %rdi, returns 2 n in %rax
GORT_FUNCTION gort_asm_twice
  leaq (%rdi, %rdi), %rax
  ret
GORT_END gort_asm_twice

GORT_END_OF_FILE
