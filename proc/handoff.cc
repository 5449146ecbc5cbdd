// proc/handoff.cc: giving away a P that its M cannot use.
#include "gort/base/attributes.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/pins.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"

namespace gort::rt {

namespace {

// True: the world is being stopped, and pp counts as stopped.
GORT_COLD bool StopForWorld(P* pp) {
  LockGuard l(&sched.lock);
  if (!sched.gcwaiting.load()) return false;
  PutAsideForStop(pp);
  return true;
}

}  // namespace

void HandoffP(P* pp) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Pinned pinned;
  // The world is to stop: no M is needed. Otherwise a stop would wait for the thread of a new one.
  if (GORT_UNLIKELY(sched.gcwaiting.load(std::memory_order_relaxed)) && StopForWorld(pp)) return;
  // The P has work of its own, or the global queue has: an M must run it.
  if (!RunqEmpty(pp) || sched.runqsize.load(std::memory_order_relaxed) != 0) {
    StartM(pp, false);
    return;
  }
  // No M looks for work and no P is idle: an M looks with this P, as the M that left would have.
  int32_t none = 0;
  if (sched.nmspinning.load() + sched.npidle.load() == 0 &&
      sched.nmspinning.compare_exchange_strong(none, 1)) {
    sched.need_spinning.store(0);
    StartM(pp, true);
    return;
  }
  sched.lock.Lock();
  if (sched.gcwaiting.load()) {
    PutAsideForStop(pp);
    sched.lock.Unlock();
    return;
  }
  if (sched.runqsize.load(std::memory_order_relaxed) != 0) {
    sched.lock.Unlock();
    StartM(pp, false);
    return;
  }
  // This is the last P that is not idle, and no M polls: the M that gets this P will poll.
  if (sched.npidle.load() == gomaxprocs.load(std::memory_order_relaxed) - 1 &&
      sched.lastpoll.load() != 0 && sched_hooks.netpoll_inited) {
    sched.lock.Unlock();
    StartM(pp, false);
    return;
  }
  PidlePut(pp);
  sched.lock.Unlock();
  // Step 3 of the parker in find_runnable.cc: a submitter that saw no idle P has woken no M.
  if (WorkInARunq()) WakeP();
  // The M that sleeps in the poller watches the timers of idle Ps.
  if (int64_t when = pp->timer0_when.load(); when != 0) WakeNetPoller(when);
}

void WakeNetPoller(int64_t when) {
  if (sched.lastpoll.load() == 0) {
    // An M is in the poller, or about to enter it and has published until when it will sleep.
    int64_t until = sched.poll_until.load();
    if (until == 0 || until > when) sched_hooks.netpoll_break();
    return;
  }
  // No M polls: one that is woken sees the timer.
  WakeP();
}

}  // namespace gort::rt
