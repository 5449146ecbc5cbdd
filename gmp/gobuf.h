// gmp/gobuf.h: a saved context.
// What      gort_switch pushes everything that belongs to a context on the context's own stack (a
//           SwitchFrame, gmp/arch_<cpu>.h) and leaves the stack pointer in a Gobuf. So a context
//           costs one word beside its stack.
// Layer     4.                                        Go: gobuf in runtime2.go; differs: pc, bp and
//           the rest lie on the stack, where the unwinder finds them too.
#ifndef GORT_GMP_GOBUF_H_
#define GORT_GMP_GOBUF_H_

#include <cstdint>

#include "gort/gmp/arch.h"

namespace gort::rt {

struct Gobuf {
  uintptr_t sp = 0;  // lowest byte of a SwitchFrame; 0: nothing saved
};

inline const SwitchFrame* FrameOf(const Gobuf& buf) {
  return reinterpret_cast<const SwitchFrame*>(buf.sp);
}

}  // namespace gort::rt

#endif  // GORT_GMP_GOBUF_H_
