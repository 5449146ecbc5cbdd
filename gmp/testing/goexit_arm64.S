// gmp/testing/goexit_arm64.S: proc's gort_goexit for tests below proc; see there.
#include "gort/platforms/asm.h"

GORT_FUNCTION gort_goexit
  .cfi_undefined x30
  nop
  bl gort_test_goexit
  brk #1
GORT_END gort_goexit
