// stack/internal/overflow_report.h: the words in which an overflow ends the process.
// What      Go's two lines, then the goroutine's header and traceback, then exit status 2.
// Layer     5. Async-signal-safe: writes with write(2), allocates nothing.
//           Go: newstack's "stack exceeds limit" (stack.go)
#ifndef GORT_STACK_INTERNAL_OVERFLOW_REPORT_H_
#define GORT_STACK_INTERNAL_OVERFLOW_REPORT_H_

#include <cstddef>
#include <cstdint>

#include "gort/base/hook.h"
#include "gort/gmp/g.h"
#include "gort/platforms/sigctx.h"

namespace gort::rt {

// Prints "goroutine N [running]:" and the frames, from where the signal interrupted (ctx) or, when
// ctx is null, from the caller; `all` is false. gp may be null: unknown. The default prints the
// header alone; set by boot.cc of runtime to TracebackReport. On the signal stack or the caller's.
extern Hook<void(const G* gp, const SigCtx* ctx, bool all)> overflow_traceback_hook;

// gp overflowed `stack` (null: the goroutine is not known any more), whose reservation has `limit`
// bytes, at stack pointer sp (0: found later, by a canary). Ends the process with status 2.
[[noreturn]] void StackOverflowFatal(const G* gp, size_t limit, StackBounds stack, uintptr_t sp,
                                     const SigCtx* ctx);

}  // namespace gort::rt

#endif  // GORT_STACK_INTERNAL_OVERFLOW_REPORT_H_
