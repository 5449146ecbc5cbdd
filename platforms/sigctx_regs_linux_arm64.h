// platforms/sigctx_regs_linux_arm64.h: where Linux puts the registers of arm64 in a ucontext_t.
// Layer     2. For platforms/sigctx.h alone. Included as "gort/platforms/sigctx_regs.h".
#ifndef GORT_PLATFORMS_SIGCTX_REGS_LINUX_ARM64_H_
#define GORT_PLATFORMS_SIGCTX_REGS_LINUX_ARM64_H_

#include <ucontext.h>

#include <cstdint>

namespace gort::rt::arch {

struct SigRegs {
  static constexpr int kCallBytes = 0;
  // DWARF itself numbers x0 to x30 and sp, and has no number for the pc.
  static constexpr int kDwarfPc = 32;

  static uintptr_t pc(const mcontext_t& mc) { return mc.pc; }
  static uintptr_t sp(const mcontext_t& mc) { return mc.sp; }
  static uintptr_t fp(const mcontext_t& mc) { return mc.regs[29]; }
  static void set_pc(mcontext_t& mc, uintptr_t v) { mc.pc = v; }
  static void set_sp(mcontext_t& mc, uintptr_t v) { mc.sp = v; }
  static void ToDwarf(const mcontext_t& mc, uintptr_t* r) {
    for (int i = 0; i <= 30; ++i) r[i] = mc.regs[i];
    r[31] = mc.sp;
    r[kDwarfPc] = mc.pc;
  }
};

}  // namespace gort::rt::arch

#endif  // GORT_PLATFORMS_SIGCTX_REGS_LINUX_ARM64_H_
