// proc/schedtrace.cc: the scheduler's state, a line at a time (GODEBUG=schedtrace, scheddetail).
// The format is Go's, so that programs that read Go's lines read these. The world runs on while a
// line is printed: each number was true at its moment, all of them together perhaps never.
#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/wait_reason.h"
#include "gort/platforms/clock.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/monitor.h"
#include "gort/proc/runq.h"

namespace gort::rt {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

// An id, or nil when there is none.
Printer& Id(Printer& p, int64_t id) { return id < 0 ? p << "nil" : p << id; }
int64_t MIdOf(const M* mp) { return mp != nullptr ? mp->id : -1; }

void PrintP(Printer& p, const P* pp) {
  p << "  P" << pp->id << ": status=" << pp->status.load(std::memory_order_relaxed)
    << " schedtick=" << pp->schedtick.load(std::memory_order_relaxed)
    << " syscalltick=" << pp->syscalltick.load(std::memory_order_relaxed) << " m=";
  Id(p, MIdOf(pp->m.load(std::memory_order_acquire)));
  p << " runqsize=" << RunqLen(pp) << " gfreecnt=" << pp->gfree_n.load(std::memory_order_relaxed)
    << " timerslen=" << pp->num_timers.load(std::memory_order_relaxed) << '\n';
}

// Most of these fields belong to the M alone: the values read may be old, or torn.
GORT_NO_TSAN void PrintM(Printer& p, const M* mp) {
  const P* pp = mp->p.load(std::memory_order_acquire);
  const G* curg = mp->curg.load(std::memory_order_acquire);
  const G* lockedg = mp->lockedg.load(std::memory_order_acquire);
  p << "  M" << mp->id << ": p=";
  Id(p, pp != nullptr ? pp->id : -1);
  p << " curg=";
  Id(p, curg != nullptr ? static_cast<int64_t>(curg->goid) : -1);
  p << " mallocing=0 throwing=0 preemptoff= locks=" << mp->locks
    << " dying=" << mp->dying.load(std::memory_order_relaxed) << " spinning=" << mp->spinning
    << " blocked=" << mp->blocked << " lockedg=";
  Id(p, lockedg != nullptr ? static_cast<int64_t>(lockedg->goid) : -1);
  p << '\n';
}

GORT_NO_TSAN void PrintG(Printer& p, const G* gp) {
  uint32_t status = ReadGStatus(gp);
  p << "  G" << gp->goid << ": status=" << status << '('
    << ((status & ~uint32_t{kGScan}) == kGWaiting ? WaitReasonText(gp->waitreason) : "") << ") m=";
  Id(p, MIdOf(gp->m));
  p << " lockedm=";
  Id(p, MIdOf(gp->lockedm));
  p << '\n';
}

}  // namespace

void SchedTrace(bool detailed) {
  LockGuard l(&sched.lock);
  Printer p;
  int32_t n = gomaxprocs.load(std::memory_order_relaxed);
  p << "SCHED " << (Nanotime() - sched.start_ns) / kMillisecond << "ms: gomaxprocs=" << n
    << " idleprocs=" << sched.npidle.load() << " threads=" << MCount()
    << " spinningthreads=" << sched.nmspinning.load()
    << " needspinning=" << sched.need_spinning.load() << " idlethreads=" << sched.nmidle
    << " runqueue=" << sched.runqsize.load(std::memory_order_relaxed);
  if (!detailed) {
    for (int32_t i = 0; i < n; ++i) {
      p << (i == 0 ? " [" : " ") << RunqLen(allp[i].load(std::memory_order_acquire));
    }
    p << "] exchanged=" << sched.exchanged.load(std::memory_order_relaxed) << '\n';
    return;
  }
  p << " gcwaiting=" << sched.gcwaiting.load() << " nmidlelocked=" << sched.nmidlelocked
    << " stopwait=" << sched.stopwait << " sysmonwait=" << sched.sysmonwait.load()
    << " exchanged=" << sched.exchanged.load(std::memory_order_relaxed) << '\n';
  for (int32_t i = 0; i < n; ++i) PrintP(p, allp[i].load(std::memory_order_acquire));
  for (M* mp = allm.load(std::memory_order_acquire); mp != nullptr; mp = mp->alllink) {
    PrintM(p, mp);
  }
  for (G* gp = allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink) {
    if (ReadGStatus(gp) != kGDead) PrintG(p, gp);
  }
}

}  // namespace gort::rt
