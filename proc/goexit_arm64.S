// proc/goexit_arm64.S: the outermost frame of every goroutine.
#include "gort/platforms/asm.h"

// Never called. gort_gostart makes gort_goexit + 4 the return address of a goroutine's first function, one
// instruction in, so that an unwinder, which looks up the address before the return address, finds this
// routine; the undefined return address ends the walk.
GORT_FUNCTION gort_goexit
  .cfi_undefined x30
  nop
  bl gort_goexit1
  brk #1
GORT_END gort_goexit
