// proc/locked_m.cc: goroutines that are wired to a thread.
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"

namespace gort::rt {

void LockOSThread() {
  G* gp = CurrentG();
  M* mp = gp->m;
  ++mp->locked_ext;
  if (mp->locked_ext == 0) {
    --mp->locked_ext;
    Throw("LockOSThread nesting overflow");
  }
  mp->lockedg.store(gp, std::memory_order_relaxed);  // read by reports only
  gp->lockedm = mp;
  gp->rare = true;
}

void UnlockOSThread() {
  G* gp = CurrentG();
  M* mp = gp->m;
  if (mp->locked_ext == 0) return;
  if (--mp->locked_ext != 0) return;
  mp->lockedg.store(nullptr, std::memory_order_relaxed);
  gp->lockedm = nullptr;
}

void IncIdleLocked(int32_t v) {
  LockGuard l(&sched.lock);
  sched.nmidlelocked += v;
  if (v > 0) CheckDead();
}

void StopLockedM() {
  M* mp = Getg()->m;
  G* gp = mp->lockedg.load(std::memory_order_relaxed);
  if (gp == nullptr || gp->lockedm != mp) Throw("stoplockedm: inconsistent locking");
  if (mp->p.load(std::memory_order_relaxed) != nullptr) HandoffP(ReleaseP());
  IncIdleLocked(1);
  MPark(mp);
  if ((ReadGStatus(gp) & ~uint32_t{kGScan}) != kGRunnable) Throw("stoplockedm: not runnable");
  AcquireP(mp->nextp);
  mp->nextp = nullptr;
}

void StartLockedM(G* gp) {
  M* mp = gp->lockedm;
  if (mp == Getg()->m) Throw("startlockedm: locked to me");
  IncIdleLocked(-1);
  HandToWired(ReleaseP(), gp);
  StopM();
}

void HandToWired(P* pp, G* gp) {
  M* mp = gp->lockedm;
  if (mp->nextp != nullptr) Throw("startlockedm: m has p");
  mp->nextp = pp;
  mp->park.Wakeup();
}

}  // namespace gort::rt
