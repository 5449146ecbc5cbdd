// traceback/unwind_regs.h: a context as the unwinder wants it.
// What      registers by their DWARF numbers, so that the CFI of gort_unwind_from, which describes
//           where they lie, is one rule per register; and how to fill them from a context.
// Layer     5. Package-internal. Reads the SwitchFrame of the context; async-signal-safe.
#ifndef GORT_TRACEBACK_UNWIND_REGS_H_
#define GORT_TRACEBACK_UNWIND_REGS_H_

#if defined(__x86_64__)
#define GORT_UNWIND_SP 7   // index of the stack pointer
#define GORT_UNWIND_PC 16  // index of the program counter
#else
#define GORT_UNWIND_SP 31
#define GORT_UNWIND_PC 32
#endif

#ifndef __ASSEMBLER__

#include <cstdint>

#include "gort/gmp/gobuf.h"
#include "gort/platforms/sigctx.h"

namespace gort::rt {

struct UnwindRegs {
  uintptr_t r[GORT_UNWIND_PC + 1] = {};

  uintptr_t pc() const { return r[GORT_UNWIND_PC]; }
  uintptr_t sp() const { return r[GORT_UNWIND_SP]; }

  // What gort_switch will restore. Caller-saved registers are dead there and stay 0.
  explicit UnwindRegs(const Gobuf& buf) {
    const SwitchFrame* f = FrameOf(buf);
#if defined(__x86_64__)
    r[3] = f->rbx;
    r[6] = f->rbp;
    r[12] = f->r12;
    r[13] = f->r13;
    r[14] = f->r14;
    r[15] = f->r15;
#else
    const uintptr_t saved[] = {f->x19, f->x20, f->x21, f->x22, f->x23,
                               f->x24, f->x25, f->x26, f->x27, f->x28};
    for (int i = 0; i < 10; ++i) r[19 + i] = saved[i];
    r[29] = f->x29;
    r[30] = f->pc;
#endif
    r[GORT_UNWIND_SP] = buf.sp + sizeof(SwitchFrame);
    r[GORT_UNWIND_PC] = f->pc;
  }

  // Where a signal interrupted.
  explicit UnwindRegs(const SigCtx& ctx) {
    const mcontext_t& mc = ctx.raw()->uc_mcontext;
#if defined(__x86_64__)
    constexpr int kGreg[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                             REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                             REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    for (int i = 0; i <= GORT_UNWIND_PC; ++i) r[i] = static_cast<uintptr_t>(mc.gregs[kGreg[i]]);
#else
    for (int i = 0; i <= 30; ++i) r[i] = mc.regs[i];
    r[GORT_UNWIND_SP] = mc.sp;
    r[GORT_UNWIND_PC] = mc.pc;
#endif
  }
};

}  // namespace gort::rt

#endif  // __ASSEMBLER__
#endif  // GORT_TRACEBACK_UNWIND_REGS_H_
