// traceback/arch_amd64.h: registers by their DWARF numbers on x86-64.
// What      what unwind_amd64.S and C++ share, and what unwind.cc asks of a CPU.
// Layer     5. Package-internal. Included as "gort/traceback/arch.h".
#ifndef GORT_TRACEBACK_ARCH_AMD64_H_
#define GORT_TRACEBACK_ARCH_AMD64_H_

#define GORT_UNWIND_SP 7   // rsp
#define GORT_UNWIND_PC 16  // the return address

#ifndef __ASSEMBLER__

#include <cstdint>

#include "gort/gmp/arch.h"
#include "gort/platforms/mem.h"

namespace gort::rt::arch {

// clang-format off
// X(the debugger's name of a register, field of a SwitchFrame).
#define GORT_DEBUG_REGISTERS(X) \
  X("rbx", rbx) X("rbp", rbp) X("r12", r12) X("r13", r13) X("r14", r14) X("r15", r15) \
  X("rip", pc)
// clang-format on

// Stores the registers that gort_switch saved in f, but for sp and pc, by number.
inline void SavedToDwarf(const SwitchFrame& f, uintptr_t* r) {
  r[3] = f.rbx;
  r[6] = f.rbp;
  r[12] = f.r12;
  r[13] = f.r13;
  r[14] = f.r14;
  r[15] = f.r15;
}

// Undoes a call that has just been made: sp and pc become those of the return to the caller. False:
// there is no stack to return by.
inline bool PopReturn(uintptr_t* r) {
  uintptr_t sp = r[GORT_UNWIND_SP];
  if (sp % sizeof(uintptr_t) != 0 || !MemReadable(reinterpret_cast<void*>(sp))) return false;
  r[GORT_UNWIND_PC] = *reinterpret_cast<uintptr_t*>(sp);
  r[GORT_UNWIND_SP] = sp + sizeof(uintptr_t);
  return true;
}

}  // namespace gort::rt::arch

#endif  // __ASSEMBLER__
#endif  // GORT_TRACEBACK_ARCH_AMD64_H_
