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

// clang-format off
// X(the debugger's name of a register, field of a SwitchFrame).
#define GORT_DEBUG_REGISTERS(X) \
  X("x19", x19) X("x20", x20) X("x21", x21) X("x22", x22) X("x23", x23) X("x24", x24) \
  X("x25", x25) X("x26", x26) X("x27", x27) X("x28", x28) X("x29", x29) X("d8", d8) \
  X("d9", d9) X("d10", d10) X("d11", d11) X("d12", d12) X("d13", d13) X("d14", d14) \
  X("d15", d15) X("x30", pc) X("pc", pc)
// clang-format on

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
