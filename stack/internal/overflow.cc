#include "gort/stack/internal/overflow.h"

#include "gort/stack/internal/overflow_report.h"

namespace gort::rt {

bool StackOverflowed(uintptr_t addr, uintptr_t sp, const G* gp, StackInfo* info) {
  if (StackFind(addr, info) && info->in_guard) return true;
  return gp != nullptr && StackFind(sp, info) && info->in_guard && info->stack.lo == gp->stack.lo;
}

bool StackOverflowHandler(siginfo_t* info, SigCtx& ctx, G* gp) {
  if (info->si_code <= 0 || gp == nullptr) return false;  // sent by somebody, or not our thread
  uintptr_t addr = reinterpret_cast<uintptr_t>(info->si_addr);
  StackInfo found;
  if (!StackOverflowed(addr, ctx.sp(), gp, &found)) return false;
  StackOverflowFatal(gp, StackReservationOf(found.stack), found.stack, ctx.sp(), &ctx);
}

void StackCanaryFatal(const G* gp) {
  StackOverflowFatal(gp, StackReservationOf(gp->stack), gp->stack, 0, nullptr);
}

}  // namespace gort::rt
