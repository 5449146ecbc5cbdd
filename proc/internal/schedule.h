// proc/internal/schedule.h: what an M runs next, and which queue a runnable G goes to.
// Layer     6. "g0": on an M's own stack. "P": the caller holds one.
#ifndef GORT_PROC_INTERNAL_SCHEDULE_H_
#define GORT_PROC_INTERNAL_SCHEDULE_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"

namespace gort::rt {

// ---- schedule.cc ----

// Goroutines that keep readying each other go from runnext to runnext, before all others. So of so
// many decisions in a row on one P one belongs to the others: in turn to the global queue and to the
// head of the ring, and to the one when the other is empty. A G with n Gs before it in its queue
// therefore runs within 2 * (n + 1) * kTurnPeriod decisions of its P, or within twice as many where the
// global queue has both parts (GlobRunqGet), which take turns. One count (P::globtick) serves
// both ways to take a goroutine, with and without g0: two counts can stay out of phase for ever.
// Go: schedtick % 61, for the global queue alone; a pair's time slice frees Go's ring.
inline constexpr uint32_t kTurnPeriod = 61;
// Ties gp, kGRunnable, to mp and its P; the caller runs it. Go: first half of execute
void Tie(M* mp, G* gp, bool inherit_time);
// The same for a fresh gp (kGFresh), to which a stack has been given.
void TieFresh(M* mp, G* gp, bool inherit_time);
// The loop of an M; returns when mp->exiting. g0, P. Go: schedule
void ScheduleLoop(M* mp);
// The next goroutine of gp's P, when gp may switch to it without a detour over g0; null: gp must
// switch to g0. P.
G* PickDirect(G* gp, M* mp, bool* inherit_time);
// The same, already tied to mp and kGRunning. locked: gp holds a lock until it has left its stack, so there is no
// time to make one for a goroutine that begins.
G* TakeDirect(G* gp, M* mp, bool locked);
// Counts mp among the spinning Ms / takes it out of the count and wakes another M in its place.
// Go: becomeSpinning, resetspinning
void BecomeSpinning(M* mp);
void ResetSpinning(M* mp);

// ---- find_runnable.cc ----

struct Found {
  G* gp;
  bool inherit_time;
  // Seam: a collector's workers, which leave other work for another P.
  bool try_wake_p;
};
// Blocks until there is a goroutine to run. g0, P. Go: findRunnable
Found FindRunnable();
// True when a P that is not idle has a goroutine in its queue. Any stack, with or without a P.
bool WorkInARunq();

// ---- steal.cc ----

struct Stolen {
  G* gp;
  bool inherit_time;
  int64_t poll_until;
  bool new_work;
};
// Takes goroutines, or due timers, from other Ps. g0, P. Go: stealWork
Stolen StealWork(P* pp, int64_t* now);
// Resets the order in which Ps are visited. World stopped. Go: stealOrder.reset
void StealOrderReset(int32_t n);

// ---- global_runq.cc ----

// Puts gp on the current P's queue (next: it runs next). P. Go: runqput
void RunqPutLocal(P* pp, G* gp, bool next);
// Queues a runnable gp, on pp or (null) globally, and wakes a P for it if one is idle and no M
// looks for work: the submitter's side of the protocol in find_runnable.cc.
void Submit(P* pp, G* gp, bool next);
// Go: globrunqput, globrunqputhead, globrunqputbatch, globrunqget
void GlobRunqPut(G* gp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
void GlobRunqPutHead(G* gp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
void GlobRunqPutBatch(GQueue* q, int32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
G* GlobRunqGet(P* pp, int32_t max) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);

}  // namespace gort::rt

#endif  // GORT_PROC_INTERNAL_SCHEDULE_H_
