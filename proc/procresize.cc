// proc/procresize.cc: changing the number of Ps.
#include <new>

#include "gort/base/throw.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/trace_hook.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/malloc/internal/mcache.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/platforms/clock.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/runq.h"
#include "gort/stack/internal/stack_alloc.h"

namespace gort::rt {
namespace {

// Makes the P of allp[id], or brings it back, with everything that a P owns. Go: p.init
void Init(int32_t id) {
  P* pp = allp[id].load(std::memory_order_relaxed);
  if (pp == nullptr) {
    pp = new (PersistentAlloc(sizeof(P), alignof(P))) P;
    pp->id = id;
    pp->stackcache = AllocStackCache();
    allp[id].store(pp, std::memory_order_release);  // pairs with: acquire loads of allp
  } else {
    SetPStatus(pp, kPGcStop);
  }
  if (pp->mcache == nullptr) pp->mcache = id == 0 ? sched.mcache0 : AllocMCache();
}

// Takes everything that a surplus P has. The P's memory stays, because Ms may still look at it.
// Go: p.destroy
void Destroy(P* pp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  GQueue q;
  int32_t n = RunqDrain(pp, &q);
  if (n > 0) {
    sched.runq.PushFrontAll(&q);
    sched.runqsize.store(sched.runqsize.load(std::memory_order_relaxed) + n);
  }
  GfPurge(pp);
  StackCacheFlush(pp->stackcache);
  if (pp->id != 0) {  // mcache0 stays with P 0
    FreeMCache(pp->mcache);
    pp->mcache = nullptr;
  }
  SetPStatus(pp, kPDead);
}

// Leaves this M with a P that stays: its own, or P 0.
void KeepOrMove(M* mp, int32_t n) {
  P* own = mp->p.load(std::memory_order_relaxed);
  if (own != nullptr && own->id < n) {
    SetPStatus(own, kPRunning);
    return;
  }
  if (own != nullptr) {
    TraceAt(own, TraceEv::kPStop);
    own->m.store(nullptr, std::memory_order_relaxed);
    mp->p.store(nullptr, std::memory_order_relaxed);
    SetThreadMCache(nullptr);
  }
  P* first = allp[0].load(std::memory_order_relaxed);
  first->m.store(nullptr, std::memory_order_relaxed);
  SetPStatus(first, kPIdle);
  AcquireP(first);
  if (G* gp = mp->curg.load(std::memory_order_relaxed)) TraceAt(first, TraceEv::kGoStart, gp);
}

}  // namespace

P* ProcResize(int32_t n) {
  int32_t old = gomaxprocs.load(std::memory_order_relaxed);
  if (old < 0 || n <= 0 || n > kMaxProcs) Throw("procresize: invalid arg");
  int64_t now = Nanotime();
  if (sched.procresizetime != 0) sched.totaltime += old * (now - sched.procresizetime);
  sched.procresizetime = now;
  for (int32_t i = old; i < n; ++i) Init(i);
  M* mp = Getg()->m;
  KeepOrMove(mp, n);
  for (int32_t i = n; i < old; ++i) Destroy(allp[i].load(std::memory_order_relaxed));
  P* own = mp->p.load(std::memory_order_relaxed);
  P* runnable = nullptr;
  for (int32_t i = n - 1; i >= 0; --i) {
    P* pp = allp[i].load(std::memory_order_relaxed);
    RunqSetAlone(pp, n == 1);
    if (pp == own) continue;
    SetPStatus(pp, kPIdle);
    if (RunqEmpty(pp)) {
      PidlePut(pp);
      continue;
    }
    pp->m.store(MGet(), std::memory_order_relaxed);
    pp->link = runnable;
    runnable = pp;
  }
  StealOrderReset(n);
  gomaxprocs.store(n);
  Trace(TraceEv::kProcs, nullptr, static_cast<uint64_t>(n));
  return runnable;
}

}  // namespace gort::rt
