// gmp/sched_hooks.h: the scheduler's five calls to packages above it.
// What      function pointers, set once by runtime/internal/boot.cc before a second M runs. The
//           defaults do nothing, so that //proc runs without poller, timers and signals.
// Layer     4. A sixth needs a design record.
#ifndef GORT_GMP_SCHED_HOOKS_H_
#define GORT_GMP_SCHED_HOOKS_H_

#include <cstdint>

#include "gort/gmp/glist.h"

namespace gort::rt {

struct P;
struct M;

struct SchedHooks {
  // Returns the goroutines that I/O made ready; their status stays kGWaiting, and the caller makes
  // them runnable. delay_ns < 0: blocks, 0: does not block, > 0: blocks at most so long. Called on
  // g0, with or without a P, no locks held; must not park. The default returns at once; the
  // scheduler makes no blocking call while netpoll_inited is false.
  GList (*netpoll)(int64_t delay_ns);
  // Interrupts a blocked netpoll. Any thread, any locks.
  void (*netpoll_break)();
  // Runs due timers of pp. Returns the time of the next one (0: none) and sets *ran. On g0 or g;
  // the caller owns a P (not necessarily pp), no locks held.
  int64_t (*check_timers)(P* pp, int64_t now, bool* ran);
  // Moves all timers of a P that is going away to `to`. World stopped, on g0.
  void (*adopt_timers)(P* from, P* to);
  // Sends the pre-emption signal to the M. Any stack but gsignal, no locks held (it may allocate).
  void (*preempt_m)(M* mp);
  // A poller is installed: idle Ms may block in netpoll.
  bool netpoll_inited;
};

extern SchedHooks sched_hooks;

}  // namespace gort::rt

#endif  // GORT_GMP_SCHED_HOOKS_H_
