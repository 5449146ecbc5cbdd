// platforms/sigctx.h: the registers in a signal frame, by role instead of by CPU.
// What      a view, two words of code each; copies nothing and owns nothing.
// Layer     2. Signal handlers only: the context dies with the handler.   Go: signal_amd64.go,
//           sigctxt
#ifndef GORT_PLATFORMS_SIGCTX_H_
#define GORT_PLATFORMS_SIGCTX_H_

#include <ucontext.h>

#include <cstdint>

namespace gort::rt {

// A view of the ucontext_t that a handler was given; writing changes how the thread resumes.
class SigCtx {
 public:
  // ucontext: the third argument of the handler.
  explicit SigCtx(void* ucontext) : uc_(static_cast<ucontext_t*>(ucontext)) {}

#if defined(__x86_64__)
  uintptr_t pc() const { return Reg(REG_RIP); }
  uintptr_t sp() const { return Reg(REG_RSP); }
  uintptr_t fp() const { return Reg(REG_RBP); }
  void set_pc(uintptr_t v) { uc_->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(v); }
  void set_sp(uintptr_t v) { uc_->uc_mcontext.gregs[REG_RSP] = static_cast<greg_t>(v); }
#elif defined(__aarch64__)
  uintptr_t pc() const { return uc_->uc_mcontext.pc; }
  uintptr_t sp() const { return uc_->uc_mcontext.sp; }
  uintptr_t fp() const { return uc_->uc_mcontext.regs[29]; }
  // Where the interrupted function returns to, as long as it has not saved it.
  uintptr_t lr() const { return uc_->uc_mcontext.regs[30]; }
  void set_pc(uintptr_t v) { uc_->uc_mcontext.pc = v; }
  void set_sp(uintptr_t v) { uc_->uc_mcontext.sp = v; }
  void set_lr(uintptr_t v) { uc_->uc_mcontext.regs[30] = v; }
#else
#error "a port names its registers here: see platforms/README.md"
#endif
  // For what only one CPU has (vector state).
  ucontext_t* raw() const { return uc_; }

 private:
#if defined(__x86_64__)
  uintptr_t Reg(int i) const { return static_cast<uintptr_t>(uc_->uc_mcontext.gregs[i]); }
#endif
  ucontext_t* uc_;
};

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_SIGCTX_H_
