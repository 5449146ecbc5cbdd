#include "gort/stack/internal/overflow.h"

#include "gort/gmp/m.h"
#include "gort/stack/internal/overflow_report.h"

namespace gort::rt {

namespace {

// Bytes below the stack pointer that code touches before it moves it: a red zone, a frame's first
// words.
constexpr uintptr_t kBelowSp = uintptr_t{64} << 10;

bool HasStackOfOurs(const G* gp) {
  return gp != nullptr && !gp->foreign && gp->stack.lo != 0 &&
         (gp->m == nullptr || gp != gp->m->g0);
}

bool SteppedOverGuard(uintptr_t addr, uintptr_t sp, uintptr_t lo) {
  if (sp >= lo || lo - sp > kFarthestOverflow) return false;
  return addr < lo && addr + kBelowSp >= sp;
}

}  // namespace

bool StackOverflowed(uintptr_t addr, uintptr_t sp, const G* gp, StackBounds* stack) {
  StackInfo info;
  if (HasStackOfOurs(gp)) {
    *stack = gp->stack;
    if (StackFind(sp, &info) && info.in_guard && info.stack.lo == gp->stack.lo) return true;
    if (SteppedOverGuard(addr, sp, gp->stack.lo)) return true;
  }
  if (!StackFind(addr, &info) || !info.in_guard) return false;
  *stack = info.stack;
  return true;
}

bool StackOverflowHandler(siginfo_t* info, SigCtx& ctx, G* gp) {
  if (info->si_code <= 0 || gp == nullptr) return false;  // sent by somebody, or not our thread
  uintptr_t addr = reinterpret_cast<uintptr_t>(info->si_addr);
  StackBounds stack;
  if (!StackOverflowed(addr, ctx.sp(), gp, &stack)) return false;
  StackOverflowFatal(gp, StackReservationOf(stack), stack, ctx.sp(), &ctx);
}

void StackCanaryFatal(const G* gp) {
  StackOverflowFatal(gp, StackReservationOf(gp->stack), gp->stack, 0, nullptr);
}

}  // namespace gort::rt
