// proc/preempt_request.cc: asking goroutines to give way. A goroutine answers at a check point
// (PreemptCheck), or preempt/ interrupts it.
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/platforms/thread.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/monitor.h"
#include "gort/proc/stay.h"

namespace gort::rt {

bool PreemptOne(P* pp) {
  // acquire: what is behind the pointers was made by other threads. pairs with: AcquireP, Wire
  M* mp = pp->m.load(std::memory_order_acquire);
  G* self = Getg();
  if (mp == nullptr || (self != nullptr && mp == self->m)) return false;
  G* gp = mp->curg.load(std::memory_order_acquire);  // pairs with: Tie
  if (gp == nullptr || gp == mp->g0) return false;
  sched.preempt_requests.fetch_add(1, std::memory_order_relaxed);
  // A thread that waits in the kernel would be woken by the signal, perhaps with EINTR.
  const int tid = mp->tid.load(std::memory_order_relaxed);
  const Sleeper sleeper = TakePFromSleeper(pp, ThreadCpuNs(tid));
  if (sleeper == Sleeper::kTaken) {
    sched.taken_asleep.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  gp->preempt.store(true, std::memory_order_relaxed);
  // When gp sees the request late, or the goroutine after gp sees it, one yield is needless.
  gp->stackguard0.store(kStackPreempt, std::memory_order_relaxed);
  pp->preempt.store(true, std::memory_order_relaxed);
  if (sleeper == Sleeper::kAwake) sched_hooks.preempt_m(mp);
  return true;
}

bool PreemptAll() {
  bool any = false;
  int32_t n = gomaxprocs.load(std::memory_order_relaxed);
  for (int32_t i = 0; i < n; ++i) {
    P* pp = allp[i].load(std::memory_order_acquire);  // pairs with: ProcResize
    if (pp->status.load(std::memory_order_relaxed) == kPRunning && PreemptOne(pp)) any = true;
  }
  return any;
}

}  // namespace gort::rt
