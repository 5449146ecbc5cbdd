// stack/internal/stack_check.h: stackguard0, with which a check point compares the stack pointer.
// What      a stack pointer below it means either too little stack or, because a request for
//           pre-emption is a value above every address, that somebody wants the goroutine to yield:
//           one comparison asks both.
// Layer     5. Check: on the goroutine itself. Request: any thread, signal handlers.
//           The answer is the caller's (proc's PreemptCheck): this package knows no scheduler.
// Go        stackguard0, stackPreempt (stack.go), the prologue's morestack check
#ifndef GORT_STACK_INTERNAL_STACK_CHECK_H_
#define GORT_STACK_INTERNAL_STACK_CHECK_H_

#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/gmp/g.h"

namespace gort::rt {

// Bytes above stack.lo at which the bound lies: what a check point's callees may use without one.
// Go: stackGuard (928 bytes; differs: C++ frames and the C library's are larger)
inline constexpr size_t kStackGuardMargin = 4096;

enum class StackCheckResult { kOk, kPreempt, kLow };

// Writes both bounds of a G that just got its stack. Requires: the caller owns gp.
void StackSetGuards(G* gp);

// Asks gp to yield at its next check point. Go: gp.stackguard0 = stackPreempt
inline void StackRequestPreempt(G* gp) {
  // Relaxed: the word is the whole message.
  gp->stackguard0.store(kStackPreempt, std::memory_order_relaxed);
}
// Withdraws a request, by whoever answers it. Requires: on gp. A request that comes meanwhile is
// not lost if the caller then reads gp->preempt, which is set before stackguard0.
void StackClearPreempt(G* gp);

// Which of the two is meant, when the quick check below says that one is. sp: current.
StackCheckResult StackCheckSlow(const G* gp, uintptr_t sp);

// Requires: on gp's stack.
GORT_ALWAYS_INLINE StackCheckResult StackCheck(const G* gp) {
  uintptr_t sp = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  if (GORT_LIKELY(sp >= gp->stackguard0.load(std::memory_order_relaxed))) {
    return StackCheckResult::kOk;
  }
  return StackCheckSlow(gp, sp);
}

// Bytes left below the caller on gp's stack, guard excluded. Requires: on gp's stack.
size_t StackLeft(const G* gp);

}  // namespace gort::rt

#endif  // GORT_STACK_INTERNAL_STACK_CHECK_H_
