// traceback/unwind_regs.h: a context as the unwinder wants it.
// What      registers by their DWARF numbers, so that the CFI of gort_unwind_from, which describes
//           where they lie, is one rule per register; and how to fill them from a context.
// Layer     5. Package-internal. Reads the SwitchFrame of the context; async-signal-safe.
#ifndef GORT_TRACEBACK_UNWIND_REGS_H_
#define GORT_TRACEBACK_UNWIND_REGS_H_

#include <cstdint>

#include "gort/gmp/gobuf.h"
#include "gort/platforms/sigctx.h"
#include "gort/traceback/arch.h"

namespace gort::rt {

struct UnwindRegs {
  uintptr_t r[GORT_UNWIND_PC + 1] = {};

  uintptr_t pc() const { return r[GORT_UNWIND_PC]; }
  uintptr_t sp() const { return r[GORT_UNWIND_SP]; }

  // What gort_switch will restore. Caller-saved registers are dead there and stay 0.
  explicit UnwindRegs(const Gobuf& buf) {
    const SwitchFrame* f = FrameOf(buf);
    arch::SavedToDwarf(*f, r);
    r[GORT_UNWIND_SP] = buf.sp + sizeof(SwitchFrame);
    r[GORT_UNWIND_PC] = f->pc;
  }

  // Where a signal interrupted.
  explicit UnwindRegs(const SigCtx& ctx) {
    static_assert(GORT_UNWIND_PC == SigCtx::kDwarfPc);
    ctx.ToDwarf(r);
  }
};

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_UNWIND_REGS_H_
