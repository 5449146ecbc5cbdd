// proc/schedule.cc: one M's loop: find a goroutine, run it, clean up after it.
//
// Rejected  Go's form, in which every scheduling decision starts g0 afresh at its top and abandons
//           the activation before. A loop does the same in C++ and leaves no frame behind that has a
//           destructor or a sanitizer's shadow (gmp/switch.h).
#include "gort/proc/internal/schedule.h"

#include "gort/base/probe.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/trace_hook.h"
#include "gort/lock/held_locks.h"
#include "gort/platforms/clock.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/time_to_run.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"
#include "gort/proc/sched_seed.h"

namespace gort::rt {
namespace {

// How often the short cut looks at the clock when the P has timers.
constexpr uint32_t kTimerCheckPeriod = 8;

uint32_t BumpTick(std::atomic<uint32_t>* tick) {
  uint32_t v = tick->load(std::memory_order_relaxed) + 1;
  tick->store(v, std::memory_order_relaxed);  // the owner P alone writes; retake compares
  return v;
}

// Withdraws what was asked of gp in its last turn.
GORT_ALWAYS_INLINE void BeginTurn(M* mp, G* gp, bool inherit_time) {
  gp->preempt.store(false, std::memory_order_relaxed);
  // With a seed every check point asks (PreemptCheck).
  const uintptr_t guard = GORT_UNLIKELY(SchedSeeded()) ? kStackPreempt : gp->stack.lo;
  gp->stackguard0.store(guard, std::memory_order_relaxed);
  GORT_PROBE(go_start, gp->goid, mp);
  P* pp = mp->p.load(std::memory_order_relaxed);
  TurnBegins(pp, gp);
  if (!inherit_time) BumpTick(&pp->schedtick);
}

// Always inline, as Pick: a direct switch is one function.
GORT_ALWAYS_INLINE void TieHere(M* mp, G* gp, bool inherit_time) {
  mp->curg.store(gp, std::memory_order_release);  // pairs with: PreemptOne
  gp->m = mp;
  if (GORT_UNLIKELY(IsGFresh(gp))) {
    LeaveGFresh(gp);
  } else {
    CasGStatus(gp, kGRunnable, kGRunning);
  }
  // Not before: a report may have frozen gp.
  if (GORT_UNLIKELY(gp->sched.sp == 0)) BindStack(gp, mp->p.load(std::memory_order_relaxed));
  BeginTurn(mp, gp, inherit_time);
}

}  // namespace

void Tie(M* mp, G* gp, bool inherit_time) {
  TieHere(mp, gp, inherit_time);
  Trace(TraceEv::kGoStart, gp);
}

void TieFresh(M* mp, G* gp, bool inherit_time) {
  mp->curg.store(gp, std::memory_order_release);  // pairs with: PreemptOne
  gp->m = mp;
  LeaveGFresh(gp);
  BeginTurn(mp, gp, inherit_time);
  Trace(TraceEv::kGoStart, gp, kAtOnce);
}

namespace {

void CheckMayRun(M* mp) {
  if (mp->locks != 0) Throw("schedule: holding locks");
  if (HeldLocksCount() != 0) Throw("schedule: holding runtime locks");
  if (mp->spinning && !RunqEmpty(mp->p.load(std::memory_order_relaxed))) {
    Throw("schedule: spinning with local work");
  }
}

// Set under sched.lock; spares the lock when the switch is never used.
constinit std::atomic<bool> user_disabled_hint{false};

// False when SchedEnableUser keeps gp aside.
bool MayBeScheduled(G* gp) {
  if (gp->system) return true;
  LockGuard l(&sched.lock);
  if (!sched.user_disabled) return true;
  sched.disabled_runq.PushBack(gp);
  ++sched.disabled_n;
  return false;
}

G* TakeRunnext(P* pp) {
  // A thief may take it first. Pairs with: RunqPut
  return pp->runq.runnext.exchange(nullptr, std::memory_order_acq_rel);
}

// Go: schedule, once
G* Next(M* mp, bool* inherit_time) {
  if (G* locked = mp->lockedg.load(std::memory_order_relaxed); locked != nullptr) {
    StopLockedM();
    *inherit_time = false;
    return locked;
  }
  // A system call that returned without finding a P leaves none (ExitSyscallCommit).
  if (mp->p.load(std::memory_order_relaxed) == nullptr) StopM();
  while (true) {
    CheckMayRun(mp);
    P* pp = mp->p.load(std::memory_order_relaxed);
    if (pp->preempt.load(std::memory_order_relaxed)) {
      pp->preempt.store(false, std::memory_order_relaxed);
      // Two goroutines that ready each other through runnext share one slice, which is over.
      if (G* gp = SeedIgnoresRequests() ? nullptr : TakeRunnext(pp); gp != nullptr) {
        LockGuard l(&sched.lock);
        GlobRunqPut(gp);
      }
    }
    Found found = FindRunnable();
    G* gp = found.gp;
    if (mp->spinning) ResetSpinning(mp);
    if (user_disabled_hint.load(std::memory_order_relaxed) && !MayBeScheduled(gp)) continue;
    if (found.try_wake_p) WakeP();
    if (GORT_UNLIKELY(gp->rare) && gp->lockedm != nullptr) {
      StartLockedM(gp);
      continue;
    }
    *inherit_time = found.inherit_time;
    return gp;
  }
}

}  // namespace

void ScheduleLoop(M* mp) {
  G* g0_of_m = mp->g0;
  while (!mp->exiting) {
    bool inherit_time = false;
    G* gp = Next(mp, &inherit_time);
    Tie(mp, gp, inherit_time);
    SwitchTo(g0_of_m, gp, nullptr);
    // Some goroutine, not necessarily gp, has left for g0, and its commit function has run.
  }
}

void BecomeSpinning(M* mp) {
  mp->spinning = true;
  sched.nmspinning.fetch_add(1);
  sched.need_spinning.store(0);
}

void ResetSpinning(M* mp) {
  mp->spinning = false;
  if (sched.nmspinning.fetch_sub(1) - 1 < 0) Throw("findrunnable: negative nmspinning");
  // mp found work, so there may be more: another M should look.
  WakeP();
}

namespace {

GORT_ALWAYS_INLINE G* Pick(G* gp, M* mp, bool* inherit_time) {
  P* pp = mp->p.load(std::memory_order_relaxed);
  if (GORT_UNLIKELY(pp == nullptr)) Fatal("goroutine parked inside Blocking");
  // g0 handles what is out of the ordinary.
  if ((gp->rare && gp->lockedm != nullptr) ||
      (pp->preempt.load(std::memory_order_relaxed) && !SeedIgnoresRequests()) ||
      sched.gcwaiting.load(std::memory_order_relaxed) ||
      user_disabled_hint.load(std::memory_order_relaxed)) {
    return nullptr;
  }
  uint32_t tick = ++pp->globtick;
  if (tick >= kTurnPeriod) return nullptr;  // FromHere gives others their turn
  if (int64_t when = pp->timer0_when.load(std::memory_order_relaxed);
      when != 0 && tick % kTimerCheckPeriod == 0 && when <= Nanotime()) {
    return nullptr;
  }
  G* next = RunqGet(pp, inherit_time);
  if (next == nullptr) return nullptr;
  if (GORT_UNLIKELY(next->rare) &&
      next->lockedm != nullptr) {  // must be handed to its thread: not from here
    RunqPutLocal(pp, next, true);
    return nullptr;
  }
  return next;
}

}  // namespace

namespace {

// True: next needs a stack that is not there at once, and is runnext again, for g0. With a seed the order does not
// depend on what stacks there are.
GORT_ALWAYS_INLINE bool PutBackIfCold(M* mp, G* next, bool inherit_time) {
  P* pp = mp->p.load(std::memory_order_relaxed);
  if (GORT_LIKELY(BindsAtOnce(pp)) || SchedSeeded()) return false;
  if (!inherit_time) BumpTick(&pp->schedtick);  // as runnext it does inherit
  RunqPutLocal(pp, next, true);
  return true;
}

}  // namespace

G* TakeDirect(G* gp, M* mp, bool locked) {
  bool inherit_time = false;
  G* next = Pick(gp, mp, &inherit_time);
  if (next == nullptr) return nullptr;
  if (GORT_UNLIKELY(next->sched.sp == 0) && locked && PutBackIfCold(mp, next, inherit_time)) {
    return nullptr;
  }
  TieHere(mp, next, inherit_time);
  Trace(TraceEv::kGoStart, next, kAtOnce);
  return next;
}

G* PickDirect(G* gp, M* mp, bool* inherit_time) { return Pick(gp, mp, inherit_time); }

void SchedEnableUser(bool enable) {
  GQueue back;
  int32_t n;
  {
    LockGuard l(&sched.lock);
    if (sched.user_disabled == !enable) return;
    sched.user_disabled = !enable;
    user_disabled_hint.store(!enable, std::memory_order_relaxed);
    if (!enable) return;
    n = sched.disabled_n;
    back.PushBackAll(&sched.disabled_runq);
    sched.disabled_n = 0;
    GlobRunqPutBatch(&back, n);
  }
  for (; n > 0 && sched.npidle.load() != 0; --n) StartM(nullptr, false);
}

}  // namespace gort::rt
