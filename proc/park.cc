// proc/park.cc: how a goroutine waits and how it is made to run again.
//
// A park is two steps on two stacks:
//
//   on the goroutine's own stack    GoPark notes what the goroutine waits for and leaves the stack
//   on the stack that is resumed    ParkCommit sets kGWaiting, then calls the unlock function, which
//                                   lets wakers in
//
// So a waker never meets a goroutine that is still on its stack.
#include "gort/base/attributes.h"
#include "gort/base/probe.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/profile_hook.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/trace_hook.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/held_pthreads.h"
#include "gort/platforms/pins.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/internal/time_to_run.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"
#include "gort/proc/sched_seed.h"
#include "gort/proc/stay.h"
#include "gort/stack/internal/overflow.h"

namespace gort::rt {

namespace {

// Once in the program, as its probe is.
GORT_NOINLINE void GoParkUntimed(bool (*unlockf)(G*, void*), void* lock, WaitReason reason) {
  PinnedWithP pinned;
  G* gp = CurrentG();
  if (gp->foreign) {
    ForeignPark(gp, unlockf, lock, reason);
    return;
  }
  M* mp = gp->m;
  if (GORT_UNLIKELY(mp->locks != 0)) Throw("gopark: holding locks");
  if constexpr (kCountsHeldPthreads) {
    if (HeldPthreads() != 0) Fatal("std::mutex held across a park: use gort::Mutex");
  }
  mp->waitunlockf = unlockf;
  gp->waitlock = lock;
  gp->waitreason = reason;
  gp->waitsince = sched.coarse_now.load(std::memory_order_relaxed);
  Trace(TraceEv::kGoPark, gp, static_cast<uint64_t>(reason));
  GORT_PROBE(go_park, gp->goid, static_cast<uint64_t>(reason));
  G* next = TakeDirect(gp, mp, unlockf != nullptr);
  SwitchTo(gp, next != nullptr ? next : mp->g0, &ParkCommit);
}

GORT_COLD void GoParkTimed(bool (*unlockf)(G*, void*), void* lock, WaitReason reason) {
  const int64_t since = Nanotime();
  GoParkUntimed(unlockf, lock, reason);
  block_hook(reason, Nanotime() - since);
}

}  // namespace

void GoPark(bool (*unlockf)(G*, void*), void* lock, WaitReason reason) {
  if (GORT_UNLIKELY(ProfilingBlock())) return GoParkTimed(unlockf, lock, reason);
  GoParkUntimed(unlockf, lock, reason);
}

void ParkCommit(G* gp) {
  G* self = Getg();
  M* mp = self->m;
  bool (*unlockf)(G*, void*) = mp->waitunlockf;
  void* lock = gp->waitlock;
  CheckLeftStack(gp);
  mp->waitunlockf = nullptr;
  gp->m = nullptr;
  if (self == mp->g0) mp->curg.store(nullptr, std::memory_order_relaxed);
  P* pp = mp->p.load(std::memory_order_relaxed);
  ++pp->counts.parks[static_cast<int>(gp->waitreason)];
  CasGStatus(gp, kGRunning, kGWaiting);
  if (unlockf == nullptr || unlockf(gp, lock)) return;
  WillBeRunnable(pp, gp);
  CasGStatus(gp, kGWaiting, kGRunnable);
  TraceReady(gp, WokenBy::kItself);
  // A successor may run on this P already, and gp could run on an idle one: Submit wakes an M.
  Submit(pp, gp, true);
}

namespace {

bool UnlockMutex(G*, void* mu) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  static_cast<Mutex*>(mu)->Unlock();
  return true;
}

}  // namespace

void GoParkUnlock(Mutex* mu, WaitReason reason) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  GoPark(&UnlockMutex, mu, reason);
}

void GoReady(G* gp) { Ready(gp, true); }

void Ready(G* gp, bool next) {
  PinnedWithP pinned;
  if (gp->foreign) {
    ForeignReady(gp);
    return;
  }
  G* self = Getg();
  // An attached thread keeps CheckDead back while gp is runnable and not queued yet.
  if (GORT_UNLIKELY(self == nullptr)) self = CurrentG();
  P* pp = self->m->p.load(std::memory_order_relaxed);
  GORT_PROBE(go_ready, gp->goid, self->goid);
  WillBeRunnableAnywhere(pp, gp);
  CasGStatus(gp, kGWaiting, kGRunnable);
  TraceReady(gp);
  Submit(pp, gp, next);
}

void InjectGList(GList* list, WokenBy by) {
  PinnedWithP pinned;
  GQueue q;
  int32_t n = 0;
  G* self = Getg();
  P* pp = self != nullptr ? self->m->p.load(std::memory_order_relaxed) : nullptr;
  while (G* gp = list->Pop()) {
    if (gp->foreign) {
      ForeignReady(gp);
      continue;
    }
    GORT_PROBE(go_ready, gp->goid, uint64_t{0});
    WillBeRunnableAnywhere(pp, gp);
    CasGStatus(gp, kGWaiting, kGRunnable);
    TraceReady(gp, by);
    q.PushBack(gp);
    ++n;
  }
  if (n == 0) return;
  if (pp != nullptr) {
    n -= RunqPutBatch(pp, &q, n);
    RunqPublish(pp);  // before npidle is read below
  }
  int32_t wake = n;
  if (!q.empty()) {
    LockGuard l(&sched.lock);
    GlobRunqPutBatch(&q, n);
  }
  if (pp != nullptr && wake == 0) wake = 1;
  for (; wake > 0 && sched.npidle.load() != 0; --wake) StartM(nullptr, false);
}

void CountMutexWait(int64_t ns) {
  PinnedWithP pinned;
  P* pp = CurrentG()->m->p.load(std::memory_order_relaxed);
  if (pp != nullptr) {
    pp->counts.mutex_wait_ns += static_cast<uint64_t>(ns);
  } else {
    sched.mutex_wait_without_p_ns.fetch_add(static_cast<uint64_t>(ns), std::memory_order_relaxed);
  }
}

M* AcquireM() {
  PinWithP();
  M* mp = CurrentG()->m;
  ++mp->locks;
  return mp;
}

void ReleaseM(M* mp) {
  --mp->locks;
  Unpin();
}

namespace {

void GoschedCommit(G* gp) {
  CheckLeftStack(gp);
  gp->m = nullptr;
  M* mp = Getg()->m;
  mp->curg.store(nullptr, std::memory_order_relaxed);
  WillBeRunnable(mp->p.load(std::memory_order_relaxed), gp);
  CasGStatus(gp, kGRunning, kGRunnable);
  Submit(nullptr, gp, false);
}

// Queues gp behind the others of this P. gp's successor runs already.
void YieldCommit(G* gp) {
  CheckLeftStack(gp);
  gp->m = nullptr;
  P* pp = Getg()->m->p.load(std::memory_order_relaxed);
  WillBeRunnable(pp, gp);
  CasGStatus(gp, kGRunning, kGRunnable);
  Submit(pp, gp, false);
}

}  // namespace

void Gosched() {
  PinnedWithP pinned;
  G* gp = CurrentG();
  if (gp->foreign) {
    ThreadYield();
    return;
  }
  M* mp = gp->m;
  if (mp->locks != 0) Throw("gosched: holding locks");
  Trace(TraceEv::kGoSched, gp);
  // gp belongs at the end of the global queue. When that is empty and the local queue is not, the
  // end of the local queue is as good, and gp can switch to a local goroutine without g0.
  if (sched.runqsize.load(std::memory_order_relaxed) == 0) {
    if (G* next = TakeDirect(gp, mp, false); next != nullptr) {
      SwitchTo(gp, next, &YieldCommit);
      return;
    }
  }
  SwitchTo(gp, mp->g0, &GoschedCommit);
}

void PreemptCheck() {
  G* gp = Getg();
  if (gp == nullptr || gp->foreign || gp == gp->m->g0) return;
  // pairs with: PreemptOne; a request seen late is only late
  if (gp->stackguard0.load(std::memory_order_relaxed) != kStackPreempt || gp->m->locks != 0) return;
  // With a seed the guard is always kStackPreempt, and chance decides.
  if (SeedIgnoresRequests() && !SchedOneIn(4)) return;
  Gosched();
}

void PreemptCheckInPlace() {
  if (GORT_UNLIKELY(SchedSeeded())) return PreemptCheck();
  G* gp = Getg();
  if (gp == nullptr || gp->stackguard0.load(std::memory_order_relaxed) != kStackPreempt) return;
  // The request is answered; the monitor makes another one if the time slice goes on.
  gp->preempt.store(false, std::memory_order_relaxed);
  gp->stackguard0.store(gp->stack.lo, std::memory_order_relaxed);
  YieldP();
  PinnedWithP until_it_is_back;
}

}  // namespace gort::rt
