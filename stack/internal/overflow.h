// stack/internal/overflow.h: tells a stack overflow from other faults.
// What      the function that boot.cc of runtime registers for SIGSEGV and SIGBUS, before any other.
// Layer     5. Signal stack; allocates nothing, takes no lock.
// Go        the overflow check in newstack (stack.go); differs: found by a guard, not by a prologue
#ifndef GORT_STACK_INTERNAL_OVERFLOW_H_
#define GORT_STACK_INTERNAL_OVERFLOW_H_

#include <signal.h>

#include "gort/base/attributes.h"
#include "gort/gmp/g.h"
#include "gort/platforms/sigctx.h"
#include "gort/stack/internal/stack_alloc.h"

namespace gort::rt {

// A frame that was entered without touching it may leave the stack and its guard behind at one
// step: so far below a stack a fault still counts as an overflow of it.
inline constexpr uintptr_t kFarthestOverflow = uintptr_t{256} << 20;

// True when gp overflowed a stack of ours by touching addr with the stack pointer at sp, and stores
// the stack in *stack:
//   - addr lies in the guard of any of our stacks: gp's, or one that the program switched to itself;
//   - sp lies in the guard of gp's stack: the frame stepped over the part that it touched;
//   - sp lies at most kFarthestOverflow below gp's stack, and addr between the two or just below sp:
//     the frame stepped over the whole guard. Other faults on a stack that the program made are not
//     gp's overflow.
bool StackOverflowed(uintptr_t addr, uintptr_t sp, const G* gp, StackBounds* stack);

// A SignalFn (signals/signals.h). An overflow: prints the report (overflow_report.h) and ends the
// process with status 2. Anything else: false. gp: the interrupted one; null: not ours.
bool StackOverflowHandler(siginfo_t* info, SigCtx& ctx, G* gp);

// What the scheduler calls when StackCanaryOk(gp) is false. Ends the process likewise.
[[noreturn]] void StackCanaryFatal(const G* gp);

// Called at a switch, by the code that runs next, for the goroutine gp that has left its stack.
inline void CheckLeftStack(const G* gp) {
  if (GORT_UNLIKELY(StackCanaryMode()) && !StackCanaryOk(gp)) StackCanaryFatal(gp);
}

}  // namespace gort::rt

#endif  // GORT_STACK_INTERNAL_OVERFLOW_H_
