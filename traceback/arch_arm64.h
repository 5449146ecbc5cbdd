// traceback/arch_arm64.h: registers by their DWARF numbers on arm64.
// What      what unwind_arm64.S and C++ share, and what unwind.cc asks of a CPU.
// Layer     5. Package-internal. Included as "gort/traceback/arch.h".
#ifndef GORT_TRACEBACK_ARCH_ARM64_H_
#define GORT_TRACEBACK_ARCH_ARM64_H_

#define GORT_UNWIND_SP 31
#define GORT_UNWIND_PC 32  // not DWARF's: the place in the record that column 96 is taken from

#ifndef __ASSEMBLER__

#include <cstdint>

#include "gort/gmp/arch.h"

namespace gort::rt::arch {

// Stores the registers that gort_switch saved in f, but for sp and pc, by number.
inline void SavedToDwarf(const SwitchFrame& f, uintptr_t* r) {
  const uintptr_t saved[] = {f.x19, f.x20, f.x21, f.x22, f.x23, f.x24, f.x25, f.x26, f.x27, f.x28};
  for (int i = 0; i < 10; ++i) r[19 + i] = saved[i];
  r[29] = f.x29;
  r[30] = f.pc;
}

// Undoes a call that has just been made: sp and pc become those of the return to the caller. False:
// there is no stack to return by.
inline bool PopReturn(uintptr_t* r) {
  r[GORT_UNWIND_PC] = r[30];
  return true;
}

}  // namespace gort::rt::arch

#endif  // __ASSEMBLER__
#endif  // GORT_TRACEBACK_ARCH_ARM64_H_
