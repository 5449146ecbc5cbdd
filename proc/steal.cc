// proc/steal.cc: taking work from other Ps.
#include "gort/base/probe.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/trace_hook.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/thread.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/runq.h"
#include "gort/proc/steal_order.h"

namespace gort::rt {
namespace {

#ifdef GORT_MODEL
constexpr int kStealRounds = 1;  // the last one; the others do less
#else
constexpr int kStealRounds = 4;
#endif
constexpr int64_t kRunnextBackoffNs = 3000;

constinit StealOrder steal_order;  // changed by ProcResize with the world stopped

// Gives the victim a moment to run its runnext itself, on a warm cache: the goroutine that has just
// readied it will usually block or end soon. Go: runqgrab
void Backoff(const P* victim) {
  if (victim->status.load(std::memory_order_relaxed) == kPRunning) ThreadSleep(kRunnextBackoffNs);
}

// Runs the due timers of the victim. True when some ran.
bool StealTimers(P* victim, int64_t* now, Stolen* out) {
  int64_t when = victim->timer0_when.load(std::memory_order_relaxed);
  if (when == 0) return false;
  if (*now == 0) *now = Nanotime();
  bool ran = false;
  if (when <= *now) when = sched_hooks.check_timers(victim, *now, &ran);
  if (when != 0 && (out->poll_until == 0 || when < out->poll_until)) out->poll_until = when;
  return ran;
}

}  // namespace

void StealOrderReset(int32_t n) { steal_order.Reset(static_cast<uint32_t>(n)); }

Stolen StealWork(P* pp, int64_t* now) {
  Stolen out{nullptr, false, 0, false};
  M* mp = pp->m.load(std::memory_order_relaxed);
  for (int round = 0; round < kStealRounds; ++round) {
    const bool last = round == kStealRounds - 1;
    for (auto e = steal_order.Start(mp->rand.Next()); !e.Done(); e.Next()) {
      if (sched.gcwaiting.load(std::memory_order_relaxed)) return out;
      const uint32_t id = e.Position();
      P* victim = allp[id].load(std::memory_order_acquire);  // pairs with: ProcResize
      if (victim == pp) continue;
      if (last && StealTimers(victim, now, &out)) {
        out.new_work = true;
        bool inherit = false;
        if (G* gp = RunqGet(pp, &inherit)) {
          out.gp = gp;
          out.inherit_time = inherit;
          return out;
        }
      }
      // A P becomes idle with an empty queue, and nothing is put there until it leaves the list.
      if (idlep_mask.Read(static_cast<int32_t>(id))) continue;
      if (G* gp = RunqSteal(pp, victim, last, &Backoff)) {
        ++pp->counts.steals;
        Trace(TraceEv::kSteal, gp, id);
        GORT_PROBE(go_steal, gp->goid, uint64_t{id});
        out.gp = gp;
        return out;
      }
    }
  }
  return out;
}

}  // namespace gort::rt
