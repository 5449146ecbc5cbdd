// proc/goexit_amd64.S: the outermost frame of every goroutine.
#include "gort/platforms/asm.h"

// Never called. MakeContext puts gort_goexit + 1 as the return address of a goroutine's first function,
// one past the nop, so that an unwinder, which looks up the address before the return address, finds this
// routine; the undefined return address ends the walk. On return to it the stack is aligned for a call.
GORT_FUNCTION gort_goexit
  .cfi_undefined %rip
  nop
  callq gort_goexit1
  ud2
GORT_END gort_goexit
