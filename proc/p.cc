// proc/p.cc: idle Ps, and tying a P to an M.
#include <atomic>

#include "gort/base/throw.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/trace_hook.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/platforms/clock.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/runq.h"

namespace gort::rt {

constinit PMask idlep_mask;

// The first P that leaves the idle list ends sysmon's deep sleep.
void WakeSysmonIfWaiting() {
  if (sched.sysmonwait.load(std::memory_order_relaxed)) {  // changed under sched.lock only
    sched.sysmonwait.store(false, std::memory_order_relaxed);
    sched.coarse_now.store(Nanotime(),
                           std::memory_order_relaxed);  // sysmon has slept, perhaps long
    sched.sysmonnote.Wakeup();
  }
}

void PidlePut(P* pp) {
  if (!RunqEmpty(pp)) Throw("pidleput: P has non-empty run queue");
  pp->link = sched.pidle;
  sched.pidle = pp;
  idlep_mask.Set(pp->id);
  sched.npidle.fetch_add(1);  // seq_cst: see find_runnable.cc, step 2 of the parking side
}

P* PidleGet() {
  P* pp = sched.pidle;
  if (pp == nullptr) return nullptr;
  sched.pidle = pp->link;
  pp->link = nullptr;
  idlep_mask.Clear(pp->id);  // before anything can be put on its queue
  sched.npidle.fetch_sub(1);
  WakeSysmonIfWaiting();
  return pp;
}

void PutAsideForStop(P* pp) {
  SetPStatus(pp, kPGcStop);
  if (--sched.stopwait == 0) sched.stopnote.Wakeup();
}

P* PidleGetSpinning() {
  P* pp = PidleGet();
  // The M that gives up its P next must look for the work that this M could not take.
  if (pp == nullptr) sched.need_spinning.store(1);
  return pp;
}

void AcquireP(P* pp) {
  M* mp = Getg()->m;
  if (mp->p.load(std::memory_order_relaxed) != nullptr) Throw("acquirep: already in go");
  if (pp->m.load(std::memory_order_relaxed) != nullptr ||
      pp->status.load(std::memory_order_relaxed) != kPIdle) {
    Printer() << "acquirep: p->m=" << pp->m.load() << " p->status=" << pp->status.load() << '\n';
    Throw("acquirep: invalid p state");
  }
  mp->p.store(pp, std::memory_order_relaxed);  // readers other than the owner only peek
  pp->m.store(mp, std::memory_order_release);  // pairs with: PreemptOne
  SetPStatus(pp, kPRunning);
  SetThreadMCache(pp->mcache);
  TraceAt(pp, TraceEv::kPStart, nullptr, static_cast<uint64_t>(mp->id));
}

P* ReleasePNoStatus() {
  M* mp = Getg()->m;
  P* pp = mp->p.load(std::memory_order_relaxed);
  if (pp == nullptr) Throw("releasep: invalid arg");
  if (pp->m.load(std::memory_order_relaxed) != mp ||
      pp->status.load(std::memory_order_relaxed) != kPRunning) {
    Throw("releasep: invalid p state");
  }
  TraceAt(pp, TraceEv::kPStop);
  mp->p.store(nullptr, std::memory_order_relaxed);
  pp->m.store(nullptr, std::memory_order_relaxed);
  SetThreadMCache(nullptr);
  return pp;
}

P* ReleaseP() {
  P* pp = ReleasePNoStatus();
  SetPStatus(pp, kPIdle);
  return pp;
}

}  // namespace gort::rt
