#include "gort/stack/internal/stack_check.h"

namespace gort::rt {

void StackSetGuards(G* gp) {
  uintptr_t bound = gp->stack.lo + kStackGuardMargin;
  gp->stackguard0.store(bound, std::memory_order_relaxed);
  gp->stackguard1 = bound;
}

void StackClearPreempt(G* gp) { gp->stackguard0.store(gp->stackguard1, std::memory_order_relaxed); }

GORT_COLD StackCheckResult StackCheckSlow(const G* gp, uintptr_t sp) {
  // stackguard1 is never poisoned.
  if (sp < gp->stackguard1) return StackCheckResult::kLow;
  bool wanted = gp->stackguard0.load(std::memory_order_relaxed) == kStackPreempt;
  return wanted ? StackCheckResult::kPreempt : StackCheckResult::kOk;
}

size_t StackLeft(const G* gp) {
  uintptr_t sp = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return sp > gp->stack.lo ? sp - gp->stack.lo : 0;
}

}  // namespace gort::rt
