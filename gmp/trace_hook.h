// gmp/trace_hook.h: what the scheduler tells a trace.
// What      the points of a goroutine's life, and of a P's, at which something is recorded while
//           sched.tracing is set. Not set, such a point costs one comparison with a byte that lies
//           beside what every switch reads.
// Order     on a P's record: who stops there is told before who starts. A creation and a wake-up are
//           told before another thread can run the goroutine.
// Layer     4. Pinned or on g0; signal handlers where the scheduler may be called. The target may be
//           called with any runtime lock held, allocates nothing and does not park.
// Go        traceEvent (trace.go)
#ifndef GORT_GMP_TRACE_HOOK_H_
#define GORT_GMP_TRACE_HOOK_H_

#include <atomic>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/hook.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/arch.h"

namespace gort::rt {

struct G;
struct P;

// arg is 0 where nothing else is said.
enum class TraceEv : uint8_t {
  kGoCreate,  // gp is about to be queued for the first time
  kGoStart,   // gp's turn begins. arg: kAtOnce or 0
  kGoPark,    // gp's turn ends: it will wait. arg: the WaitReason
  kGoSched,   // gp's turn ends: it gives way
  kGoLoseP,   // gp's turn ends: it loses the P, and keeps its thread
  kGoEnd,     // gp's turn, and gp, end
  kGoReady,   // gp is about to be queued again. arg: the WokenBy
  kSysEnter,  // gp begins a system call
  kSysExit,   // gp has a P after a system call, or after it had lost its own
  kSysBlock,  // the P is taken from the system call that it was left in; gp null. arg: see below
  kPStart,    // an M takes the P. arg: the M's id
  kPStop,     // the M gives the P up; gp null
  kProcs,     // arg: how many Ps there are from here on; gp null
  kStwBegin,  // the caller stops the world; gp null
  kStwEnd,    // and starts it again; gp null
  kSteal,     // gp was taken from another P's queue. arg: that P's id
  kCount,
};

// arg of kGoStart: in one step with the end of the turn before.
inline constexpr uint64_t kAtOnce = 1;

// The clock of events: the CPU's counter where it runs evenly, else nanoseconds. A moment before a P is taken
// is arg of kSysBlock where sched.lock is not held meanwhile: the goroutine may have its next turn on another
// P before its loss of this one is told. 0 where it is held: now.
inline uint64_t TraceTicks() { return static_cast<uint64_t>(arch::Ticks()); }

// Who makes a goroutine runnable.
enum class WokenBy : uint8_t {
  kGoroutine,  // the one that runs on the caller's P
  kTimer,
  kPoller,
  kThread,  // one that the runtime did not create
  kReturn,  // nobody: its system call is over, and no P was free
  kItself,  // nobody: the park was called off
  kCount,
};

// pp: the P whose record it belongs to, which is the caller's own or in its hands; null: none.
extern Hook<void(P* pp, TraceEv ev, G* gp, uint64_t arg)> trace_hook;

namespace internal {
GORT_COLD void TraceHere(TraceEv ev, G* gp, uint64_t arg);
GORT_COLD void TraceReadyHere(G* gp);
}  // namespace internal

// Whether events are recorded. A moment's value.
GORT_ALWAYS_INLINE bool Tracing() { return sched.tracing.load(std::memory_order_relaxed); }

// An event on the caller's P.
GORT_ALWAYS_INLINE void Trace(TraceEv ev, G* gp, uint64_t arg = 0) {
  if (GORT_UNLIKELY(Tracing())) internal::TraceHere(ev, gp, arg);
}
// An event on a P that is in the caller's hands.
GORT_ALWAYS_INLINE void TraceAt(P* pp, TraceEv ev, G* gp = nullptr, uint64_t arg = 0) {
  if (GORT_UNLIKELY(Tracing())) trace_hook(pp, ev, gp, arg);
}
// kGoReady.
GORT_ALWAYS_INLINE void TraceReady(G* gp, WokenBy by) {
  Trace(TraceEv::kGoReady, gp, static_cast<uint64_t>(by));
}
// kGoReady by the caller, whoever that is.
GORT_ALWAYS_INLINE void TraceReady(G* gp) {
  if (GORT_UNLIKELY(Tracing())) internal::TraceReadyHere(gp);
}

}  // namespace gort::rt

#endif  // GORT_GMP_TRACE_HOOK_H_
