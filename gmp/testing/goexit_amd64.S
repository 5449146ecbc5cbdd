// gmp/testing/goexit_amd64.S: proc's gort_goexit for tests below proc; see there.
#include "gort/platforms/asm.h"

GORT_FUNCTION gort_goexit
  .cfi_undefined %rip
  nop
  callq gort_test_goexit
  ud2
GORT_END gort_goexit
