#include "gort/stack/internal/overflow_report.h"

#include "gort/base/attributes.h"
#include "gort/base/throw.h"

namespace gort::rt {
namespace {

void HeaderOnly(const G* gp, const SigCtx*, bool) {
  if (gp != nullptr) Printer() << "goroutine " << gp->goid << " [running]:\n";
}

}  // namespace

constinit Hook<void(const G*, const SigCtx*, bool)> overflow_traceback_hook{&HeaderOnly};

GORT_COLD void StackOverflowFatal(const G* gp, size_t limit, StackBounds stack, uintptr_t sp,
                                  const SigCtx* ctx) {
  BeginFatal();
  {
    Printer p;
    p << "runtime: goroutine stack exceeds " << limit << "-byte limit\n";
    p << "runtime: ";
    if (sp != 0) (p << "sp=").Hex(sp) << ' ';
    (p << "stack=[").Hex(stack.lo) << ", ";
    p.Hex(stack.hi) << "]\n";
    p << "fatal error: stack overflow\n\n";
  }
  overflow_traceback_hook(gp, ctx, false);
  ExitFatal();
}

}  // namespace gort::rt
