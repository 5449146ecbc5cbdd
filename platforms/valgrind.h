// platforms/valgrind.h: whether valgrind runs the process, and what it has to be told.
// What      valgrind simulates the CPU. It delivers signals with frames of its own, which cannot be
//           rewritten as the kernel's can; it does not know lightweight guards, and dies when it
//           reads one while it walks a stack; and it takes a small step from one stack to another
//           for a large frame. A request to it is a few instructions without an effect on a real
//           CPU, so no header or library of valgrind's is needed, and nothing is read.
// Layer     2. Any thread, any stack; a few instructions each.
#ifndef GORT_PLATFORMS_VALGRIND_H_
#define GORT_PLATFORMS_VALGRIND_H_

#include <cstdint>

#include "gort/platforms/arch.h"

namespace gort::rt {

inline bool RunningOnValgrind() { return arch::AskValgrind({0x1001, 0, 0, 0, 0, 0}, 0) != 0; }

// [lo, hi) is a stack from now on. Without valgrind nothing happens.
inline void ValgrindAddStack(uintptr_t lo, uintptr_t hi) {
  arch::AskValgrind({0x1501, lo, hi, 0, 0, 0}, 0);
}

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_VALGRIND_H_
