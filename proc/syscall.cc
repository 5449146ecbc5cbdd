// proc/syscall.cc: leaving the scheduler for a call that may block, and coming back.
//
// Entering costs no lock: the P is left behind in kPSyscall, for the M to take back by one CAS. If
// the call takes long, sysmon (or whoever stops the world) takes the P instead; the CAS then fails
// and the M has to look for another.
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

// The world is being stopped while we leave: our P counts as stopped. Go: entersyscall_gcwait
GORT_COLD void StopForWorld(P* pp) {
  LockGuard l(&sched.lock);
  if (sched.stopwait > 0 && CasPStatus(pp, kPSyscall, kPGcStop)) {
    pp->syscalltick.fetch_add(1, std::memory_order_relaxed);
    if (--sched.stopwait == 0) sched.stopnote.Wakeup();
  }
}

// Ties pp, which is kPIdle and ours alone, to this M. Go: wirep
void Wire(M* mp, P* pp) {
  mp->p.store(pp, std::memory_order_relaxed);
  pp->m.store(mp, std::memory_order_release);  // pairs with: PreemptOne
  SetPStatus(pp, kPRunning);
  SetThreadMCache(pp->mcache);
}

bool TakeOldP(M* mp, P* old) {
  if (old == nullptr || !CasPStatus(old, kPSyscall, kPIdle)) return false;
  Wire(mp, old);
  old->syscalltick.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool TakeIdleP() {
  if (sched.npidle.load() == 0) return false;
  P* pp;
  {
    LockGuard l(&sched.lock);
    pp = PidleGet();
  }
  if (pp == nullptr) return false;
  AcquireP(pp);
  return true;
}

// No P to be had: gp waits in the global queue, its M sleeps. On g0. Go: exitsyscall0
void ExitSyscallCommit(G* gp) {
  M* mp = Getg()->m;
  gp->m = nullptr;
  mp->curg.store(nullptr, std::memory_order_relaxed);
  CasGStatus(gp, kGSyscall, kGRunnable);
  P* pp;
  {
    LockGuard l(&sched.lock);
    // One that is locked to this M needs it as well: nobody else would take the idle P, and nobody
    // look at the queue. The M hands it to somebody who hands it back (StopLockedM).
    pp = PidleGet();
    if (pp == nullptr) GlobRunqPut(gp);
  }
  if (pp != nullptr) {
    AcquireP(pp);
    RunqPutLocal(pp, gp, true);
  }
  // Without a P the loop stops this M (Next in schedule.cc).
}

}  // namespace

void EnterSyscall() {
  G* gp = CurrentG();
  if (gp->foreign) return;
  M* mp = gp->m;
  P* pp = mp->p.load(std::memory_order_relaxed);
  if (GORT_UNLIKELY(pp == nullptr)) {
    ++gp->nested_syscalls;
    return;
  }
  CasGStatus(gp, kGRunning, kGSyscall);
  mp->oldp = pp;
  mp->p.store(nullptr, std::memory_order_relaxed);
  pp->m.store(nullptr, std::memory_order_relaxed);
  SetThreadMCache(nullptr);
  SetPStatus(pp, kPSyscall);  // seq_cst: either the stopper's CAS sees it or we see gcwaiting
  if (GORT_UNLIKELY(sched.gcwaiting.load())) StopForWorld(pp);
}

void EnterSyscallBlock() {
  G* gp = CurrentG();
  if (gp->foreign) return;
  M* mp = gp->m;
  P* pp = mp->p.load(std::memory_order_relaxed);
  if (GORT_UNLIKELY(pp == nullptr)) {
    ++gp->nested_syscalls;
    return;
  }
  pp->syscalltick.fetch_add(1, std::memory_order_relaxed);
  CasGStatus(gp, kGRunning, kGSyscall);
  mp->oldp = nullptr;
  OnSystemStack([] { HandoffP(ReleaseP()); });
}

void ExitSyscall() {
  G* gp = Getg();
  if (gp->foreign) return;
  if (GORT_UNLIKELY(gp->nested_syscalls != 0)) {
    --gp->nested_syscalls;
    return;
  }
  M* mp = gp->m;
  P* old = mp->oldp;
  mp->oldp = nullptr;
  if (GORT_LIKELY(TakeOldP(mp, old)) || TakeIdleP()) {
    CasGStatus(gp, kGSyscall, kGRunning);
    // The world may be waiting for this P.
    if (GORT_UNLIKELY(sched.gcwaiting.load(std::memory_order_relaxed)) && mp->locks == 0) Gosched();
    return;
  }
  SwitchTo(gp, mp->g0, &ExitSyscallCommit);
}

}  // namespace gort::rt
