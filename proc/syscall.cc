// proc/syscall.cc: leaving the scheduler for a call that may block, and coming back.
//
// Entering takes no lock: the M leaves its P in kPSyscall and takes it back by one CAS. sysmon takes
// the P when the call lasts, and so does whoever stops the world; the M's CAS then fails, and the M
// looks for another P.
//
//   the M's P when it returns    what the M does
//   where it left it             one CAS
//   taken, and a P is idle       takes that one, under sched.lock
//   taken, no P is idle          queues its G globally and sleeps (ExitSyscallCommit)
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/trace_hook.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/platforms/pins.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/internal/time_to_run.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

// Counts pp, which the caller has just left, as stopped, unless the stopper has done so.
// Go: entersyscall_gcwait
GORT_COLD void StopForWorld(P* pp) {
  LockGuard l(&sched.lock);
  if (sched.stopwait > 0 && CasPStatus(pp, kPSyscall, kPGcStop)) {
    pp->syscalltick.fetch_add(1, std::memory_order_relaxed);
    TraceAt(pp, TraceEv::kSysBlock);
    if (--sched.stopwait == 0) sched.stopnote.Wakeup();
  }
}

// Ties pp to this M. pp is kPIdle, on no list, and the caller's by its CAS. Go: wirep
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

// Queues gp for want of a P, or on a P that has become idle since. On g0. Go: exitsyscall0
void ExitSyscallCommit(G* gp) {
  M* mp = Getg()->m;
  gp->m = nullptr;
  mp->curg.store(nullptr, std::memory_order_relaxed);
  WillBeRunnableAnywhere(nullptr, gp);
  CasGStatus(gp, kGSyscall, kGRunnable);
  TraceReady(gp, WokenBy::kReturn);
  P* pp;
  {
    LockGuard l(&sched.lock);
    // An idle P is taken even when gp is locked to this M: else no M might take that P and look at
    // the queue. The M gives the P away again, to an M that finds gp there and hands the P back
    // (StopLockedM, StartLockedM).
    pp = PidleGet();
    if (pp == nullptr) GlobRunqPut(gp);
  }
  if (pp != nullptr) {
    AcquireP(pp);
    RunqPutLocal(pp, gp, true);
  }
  // An M without a P is stopped by its loop (Next in schedule.cc).
}

}  // namespace

void EnterSyscall() {
  PinnedWithP pinned;
  G* gp = CurrentG();
  if (gp->foreign) return;
  M* mp = gp->m;
  P* pp = mp->p.load(std::memory_order_relaxed);
  if (GORT_UNLIKELY(pp == nullptr)) {
    ++gp->nested_syscalls;
    return;
  }
  ++pp->counts.syscalls;
  Trace(TraceEv::kSysEnter, gp);
  CasGStatus(gp, kGRunning, kGSyscall);
  mp->oldp = pp;
  mp->p.store(nullptr, std::memory_order_relaxed);
  pp->m.store(nullptr, std::memory_order_relaxed);
  SetThreadMCache(nullptr);
  // seq_cst: the stopper's CAS sees kPSyscall, or the load below sees gcwaiting.
  SetPStatus(pp, kPSyscall);
  if (GORT_UNLIKELY(sched.gcwaiting.load())) StopForWorld(pp);
}

void EnterSyscallBlock() {
  PinnedWithP pinned;
  G* gp = CurrentG();
  if (gp->foreign) return;
  M* mp = gp->m;
  P* pp = mp->p.load(std::memory_order_relaxed);
  if (GORT_UNLIKELY(pp == nullptr)) {
    ++gp->nested_syscalls;
    return;
  }
  pp->syscalltick.fetch_add(1, std::memory_order_relaxed);
  ++pp->counts.syscalls;
  ++pp->counts.handed_off;
  Trace(TraceEv::kSysEnter, gp);
  CasGStatus(gp, kGRunning, kGSyscall);
  mp->oldp = nullptr;
  OnSystemStack([] { HandoffP(ReleaseP()); });
}

void ExitSyscall() {
  Pinned pinned;
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
    Trace(TraceEv::kSysExit, gp);
    // The world may be waiting for this P.
    if (GORT_UNLIKELY(sched.gcwaiting.load(std::memory_order_relaxed)) && mp->locks == 0) Gosched();
    return;
  }
  SwitchTo(gp, mp->g0, &ExitSyscallCommit);
}

}  // namespace gort::rt
