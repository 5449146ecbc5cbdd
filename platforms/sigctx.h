// platforms/sigctx.h: the registers in a signal frame, by role instead of by CPU.
// What      a view of the frame: SigCtx copies nothing and owns nothing. Where a register lies is
//           in sigctx_regs_<os>_<cpu>.h.
// Layer     2. Signal handlers only: the context dies with the handler.   Go: signal_amd64.go,
//           sigctxt
#ifndef GORT_PLATFORMS_SIGCTX_H_
#define GORT_PLATFORMS_SIGCTX_H_

#include <ucontext.h>

#include <cstdint>

#include "gort/platforms/sigctx_regs.h"

namespace gort::rt {

// A view of the ucontext_t that a handler was given; writing changes how the thread resumes.
class SigCtx {
 public:
  // Bytes that a call pushes: where a function begins, sp is so much below a multiple of 16.
  static constexpr int kCallBytes = arch::SigRegs::kCallBytes;
  // The index of the pc in what ToDwarf stores; the registers that DWARF numbers come before it.
  static constexpr int kDwarfPc = arch::SigRegs::kDwarfPc;

  // ucontext: the third argument of the handler.
  explicit SigCtx(void* ucontext) : uc_(static_cast<ucontext_t*>(ucontext)) {}

  uintptr_t pc() const { return arch::SigRegs::pc(uc_->uc_mcontext); }
  uintptr_t sp() const { return arch::SigRegs::sp(uc_->uc_mcontext); }
  // The frame pointer, in code that is compiled with one.
  uintptr_t fp() const { return arch::SigRegs::fp(uc_->uc_mcontext); }
  void set_pc(uintptr_t v) { arch::SigRegs::set_pc(uc_->uc_mcontext, v); }
  void set_sp(uintptr_t v) { arch::SigRegs::set_sp(uc_->uc_mcontext, v); }
  // Stores each general register at the index that is its DWARF number, and the pc at kDwarfPc.
  void ToDwarf(uintptr_t* r) const { arch::SigRegs::ToDwarf(uc_->uc_mcontext, r); }
  // A word of this delivery's own: 0 when the kernel calls the handler, which does not read it again.
  uintptr_t mark() const { return reinterpret_cast<uintptr_t>(uc_->uc_link); }
  void set_mark(uintptr_t v) { uc_->uc_link = reinterpret_cast<ucontext_t*>(v); }
  // For what only one CPU has (vector state).
  ucontext_t* raw() const { return uc_; }

 private:
  ucontext_t* uc_;
};

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_SIGCTX_H_
