#include "gort/metrics/internal/snapshot.h"

#include <atomic>

#include "gort/base/attributes.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/lock/mutex.h"
#include "gort/proc/runq.h"

namespace gort::metrics {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Why a goroutine waits may change while it is looked at: then it is counted under another reason.
GORT_NO_TSAN rt::WaitReason ReasonOf(const rt::G* gp) {
  const rt::WaitReason reason = gp->waitreason;
  return reason < rt::WaitReason::kCount ? reason : rt::WaitReason::kZero;
}
GORT_NO_TSAN bool IsSystem(const rt::G* gp) { return gp->system; }

void Count(const rt::G* gp, Goroutines* n) {
  const uint32_t status = rt::ReadGStatus(gp) & ~uint32_t{rt::kGScan};
  if (status == rt::kGDead || status == rt::kGIdle) return;
  if (IsSystem(gp)) {
    ++n->system;
    return;
  }
  if (status == rt::kGRunnable) ++n->runnable;
  if (status == rt::kGRunning) ++n->running;
  if (status == rt::kGSyscall) ++n->syscall;
  if (status != rt::kGWaiting) return;
  ++n->waiting;
  ++n->by_reason[static_cast<int>(ReasonOf(gp))];
}

void CountGoroutines(Goroutines* n) {
  const rt::G* gp = rt::allgs.load(std::memory_order_acquire);  // pairs with: AllGAdd
  for (; gp != nullptr; gp = gp->alllink) Count(gp, n);
}

// The Ps go on counting while this reads (gmp/counts.h).
GORT_NO_TSAN void Add(const rt::TimeCounts& from, rt::TimeCounts* to) {
  for (int i = 0; i < rt::TimeCounts::kBuckets; ++i) to->n[i] += from.n[i];
  to->total_ns += from.total_ns;
}
GORT_NO_TSAN void Add(const rt::PCounts& from, rt::PCounts* to) {
  to->created += from.created;
  to->syscalls += from.syscalls;
  to->handed_off += from.handed_off;
  to->steals += from.steals;
  to->mutex_wait_ns += from.mutex_wait_ns;
  for (int i = 0; i < static_cast<int>(rt::WaitReason::kCount); ++i) to->parks[i] += from.parks[i];
  Add(from.time_to_run, &to->time_to_run);
}

void Count(const rt::P* pp, Ps* n) {
  n->queued += rt::RunqLen(pp);
  n->turns += pp->schedtick.load(kRelaxed);
  n->timers += pp->num_timers.load(kRelaxed);
  Add(pp->counts, &n->counts);
}

void CountPs(Ps* n) {
  for (const auto& at : rt::allp) {
    const rt::P* pp = at.load(std::memory_order_acquire);  // pairs with: ProcResize
    if (pp == nullptr) break;
    Count(pp, n);
  }
  n->counts.created += rt::sched.created_without_p.load(kRelaxed);
  n->counts.mutex_wait_ns += rt::sched.mutex_wait_without_p_ns.load(kRelaxed);
}

void CountThreads(Threads* n) {
  rt::LockGuard l(&rt::sched.lock);
  n->all = rt::sched.mnext - rt::sched.nmfreed;
  n->idle = rt::sched.nmidle;
}

}  // namespace

void TakeSnapshot(Snapshot* s) {
  CountGoroutines(&s->goroutines);
  CountPs(&s->ps);
  CountThreads(&s->threads);
  Add(rt::sched.stop_times, &s->stops);
  s->stacks = rt::ReadStackStats();
  s->heap = malloc::ReadStats();
}

}  // namespace gort::metrics
