#include "gort/platforms/asm.h"

// extern "C" uint64_t gort_asm_answer();   returns 42 in x0
GORT_FUNCTION gort_asm_answer
  mov x0, #42
  ret
GORT_END gort_asm_answer

// extern "C" uint64_t gort_asm_twice(uint64_t n);   n in x0, returns 2 n in x0
GORT_FUNCTION gort_asm_twice
  add x0, x0, x0
  ret
GORT_END gort_asm_twice

GORT_END_OF_FILE
