// platforms/sigctx_regs_linux_amd64.h: where Linux puts the registers of x86-64 in a ucontext_t.
// Layer     2. For platforms/sigctx.h alone. Included as "gort/platforms/sigctx_regs.h".
#ifndef GORT_PLATFORMS_SIGCTX_REGS_LINUX_AMD64_H_
#define GORT_PLATFORMS_SIGCTX_REGS_LINUX_AMD64_H_

#include <ucontext.h>

#include <cstdint>

namespace gort::rt::arch {

struct SigRegs {
  static constexpr int kCallBytes = 8;
  static constexpr int kDwarfPc = 16;

  static uintptr_t pc(const mcontext_t& mc) { return static_cast<uintptr_t>(mc.gregs[REG_RIP]); }
  static uintptr_t sp(const mcontext_t& mc) { return static_cast<uintptr_t>(mc.gregs[REG_RSP]); }
  static uintptr_t fp(const mcontext_t& mc) { return static_cast<uintptr_t>(mc.gregs[REG_RBP]); }
  static void set_pc(mcontext_t& mc, uintptr_t v) { mc.gregs[REG_RIP] = static_cast<greg_t>(v); }
  static void set_sp(mcontext_t& mc, uintptr_t v) { mc.gregs[REG_RSP] = static_cast<greg_t>(v); }
  static void ToDwarf(const mcontext_t& mc, uintptr_t* r) {
    constexpr int kGreg[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                             REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                             REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    for (int i = 0; i <= kDwarfPc; ++i) r[i] = static_cast<uintptr_t>(mc.gregs[kGreg[i]]);
  }
};

}  // namespace gort::rt::arch

#endif  // GORT_PLATFORMS_SIGCTX_REGS_LINUX_AMD64_H_
