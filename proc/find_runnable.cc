// proc/find_runnable.cc: where the next goroutine comes from, and going to sleep when there is
// none.
//
// The danger is a lost wake-up: a submitter makes work runnable just when the last M that looks for
// work goes to sleep, and no M runs it. An M that looks for work is "spinning" and counted in
// nmspinning; while that count is not zero, submitters need not wake an M. The protocol:
//
//   submitter                                   parker (a spinning M that found nothing)
//   1. publish the work (seq_cst store)         1. put the P on the idle list: npidle++ (seq_cst)
//   2. read npidle and nmspinning (seq_cst)     2. stop spinning: nmspinning-- (seq_cst)
//   3. idle P and nobody spinning: wake one     3. look at every queue, mask and timer again
//                                               4. found something: take an idle P, spin again
//
// These operations have a single total order. In it the submitter's reads come after the parker's
// steps 1 and 2, and the submitter wakes an M; or the submitter's store comes before the parker's
// step 3, and the parker sees the work. With either side weakened both may miss: tests/model runs
// this source, tries every interleaving within its bounds, and shows the loss when either barrier is
// removed.
//
// A spinning M that finds work wakes another M (ResetSpinning), so one wake-up grows to as many as
// there is work for. An M begins to spin only while fewer than half as many Ms spin as Ps are busy.
//
// Rejected  Each submission takes one lock over a central list of waiting Ms: every P waits for that
//           lock. Each goroutine wakes an M: mostly the M finds nothing, and a busy program spends
//           its time parking and unparking. Each goroutine hands its P to the M that is woken: the
//           goroutine's memory is in another CPU's cache.
#include <algorithm>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/trace_hook.h"
#include "gort/platforms/clock.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/internal/time_to_run.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"

namespace gort::rt {
namespace {

struct Search {
  M* mp;
  P* pp;
  int64_t now = 0;
  int64_t poll_until = 0;
};

Found None() { return Found{nullptr, false, false}; }

G* OneFromGlobal(P* pp) {
  if (sched.runqsize.load(std::memory_order_relaxed) == 0) return nullptr;
  LockGuard l(&sched.lock);
  return GlobRunqGet(pp, 1);
}

// The turn of those whom a pair on runnext would starve; null: nobody waits (kTurnPeriod).
G* OutOfTurn(P* pp) {
  pp->ring_turn = !pp->ring_turn;
  G* gp = pp->ring_turn ? RunqGetRing(pp) : OneFromGlobal(pp);
  if (gp != nullptr) return gp;
  return pp->ring_turn ? OneFromGlobal(pp) : RunqGetRing(pp);
}

// Due timers of this P, then whose turn it is, then the local queue.
Found FromHere(Search* s) {
  if (int64_t when = s->pp->timer0_when.load(std::memory_order_relaxed); when != 0) {
    s->now = Nanotime();
    if (when <= s->now) {
      bool ran = false;
      s->poll_until = sched_hooks.check_timers(s->pp, s->now, &ran);
    } else {
      s->poll_until = when;
    }
  }
  if (++s->pp->globtick >= kTurnPeriod) {
    s->pp->globtick = 0;
    if (G* gp = OutOfTurn(s->pp)) return Found{gp, false, false};
  }
  bool inherit = false;
  if (G* gp = RunqGet(s->pp, &inherit)) return Found{gp, inherit, false};
  return None();
}

Found FromGlobal(Search* s) {
  if (sched.runqsize.load(std::memory_order_relaxed) == 0) return None();
  LockGuard l(&sched.lock);
  return Found{GlobRunqGet(s->pp, 0), false, false};
}

Found FromPoller(P* pp) {
  if (!sched_hooks.netpoll_inited || sched.netpoll_waiters.load(std::memory_order_relaxed) == 0 ||
      sched.lastpoll.load(std::memory_order_relaxed) == 0) {
    return None();
  }
  GList list = sched_hooks.netpoll(0);
  if (list.empty()) return None();
  G* gp = list.Pop();
  WillBeRunnable(pp, gp);
  CasGStatus(gp, kGWaiting, kGRunnable);
  TraceReady(gp, WokenBy::kPoller);
  InjectGList(&list, WokenBy::kPoller);
  return Found{gp, false, false};
}

// Steals from other Ps. Not while half as many Ms spin as Ps are busy: more spinning Ms would burn
// CPU against each other.
Found FromOthers(Search* s) {
  if (!s->mp->spinning) {
    int32_t busy =
        gomaxprocs.load(std::memory_order_relaxed) - sched.npidle.load(std::memory_order_relaxed);
    if (2 * sched.nmspinning.load(std::memory_order_relaxed) >= busy) return None();
    BecomeSpinning(s->mp);
  }
  while (true) {
    Stolen stolen = StealWork(s->pp, &s->now);
    if (stolen.gp != nullptr) return Found{stolen.gp, stolen.inherit_time, false};
    if (stolen.poll_until != 0 && (s->poll_until == 0 || stolen.poll_until < s->poll_until)) {
      s->poll_until = stolen.poll_until;
    }
    // Timers that ran put their goroutines on this P.
    if (!stolen.new_work) return None();
    bool inherit = false;
    if (G* gp = RunqGet(s->pp, &inherit)) return Found{gp, inherit, false};
  }
}

// Step 3 of the parker. Go: checkRunqsNoP
P* CheckRunqs() {
  if (!WorkInARunq()) return nullptr;
  LockGuard l(&sched.lock);
  return PidleGetSpinning();
}

// With so many timers the next one is never far, and a system call for each costs more than running
// them: the M then sleeps for a while at least, which makes a timer at most that late. The more
// timers, the longer.
constexpr uint32_t kManyTimers = 4096;
constexpr int64_t kGroupPerTimerNs = 12;
constexpr int64_t kMinGroupNs = 200'000;
constexpr int64_t kMaxGroupNs = 1'000'000;

int64_t GroupNs(uint32_t timers) {
  return std::clamp(timers * kGroupPerTimerNs, kMinGroupNs, kMaxGroupNs);
}

// When the earliest timer of any P is due, or the time to look at very many timers; 0: no timer.
// poll_until: a time found before. Go: checkTimersNoP
int64_t CheckTimers(int64_t poll_until) {
  int32_t n = gomaxprocs.load(std::memory_order_acquire);  // pairs with: ProcResize
  uint32_t timers = 0;
  for (int32_t i = 0; i < n; ++i) {
    P* pp = allp[i].load(std::memory_order_acquire);
    int64_t when = pp->timer0_when.load();
    if (when != 0 && (poll_until == 0 || when < poll_until)) poll_until = when;
    timers += pp->num_timers.load(std::memory_order_relaxed);
  }
  if (timers >= kManyTimers) poll_until = std::max(poll_until, Nanotime() + GroupNs(timers));
  return poll_until;
}

// Blocks in the poller until I/O, a break or the next timer. The M has no P before. True: the M has
// a P again, and *found may be set. False: it has none and must stop. Go: the netpoll part at the
// end of findRunnable
bool SleepInPoller(Search* s, Found* found) {
  int64_t delay = -1;
  sched.poll_until.store(s->poll_until);
  if (s->poll_until != 0) {
    delay = s->poll_until - Nanotime();
    if (delay < 0) delay = 0;
  }
  GList list = sched_hooks.netpoll(delay);
  sched.poll_until.store(0);
  sched.lastpoll.store(Nanotime());
  P* pp;
  {
    LockGuard l(&sched.lock);
    pp = PidleGet();
  }
  if (pp == nullptr) {
    InjectGList(&list, WokenBy::kPoller);
    return false;
  }
  AcquireP(pp);
  G* gp = list.Pop();
  if (gp == nullptr) {
    BecomeSpinning(s->mp);  // look at everything again, timers above all
    return true;
  }
  InjectGList(&list, WokenBy::kPoller);
  WillBeRunnable(pp, gp);
  CasGStatus(gp, kGWaiting, kGRunnable);
  TraceReady(gp, WokenBy::kPoller);
  *found = Found{gp, false, false};
  return true;
}

// Gives the P up, unless there is something to do after all; then false, and *found may be set.
// Go: findRunnable, the locked part
bool GiveUpP(Search* s, Found* found) {
  LockGuard l(&sched.lock);
  if (sched.gcwaiting.load()) return false;
  if (sched.runqsize.load(std::memory_order_relaxed) != 0) {
    found->gp = GlobRunqGet(s->pp, 0);
    return false;
  }
  if (!s->mp->spinning && sched.need_spinning.load() == 1) {
    // An M that was to look for work found no idle P (PidleGetSpinning): this M looks in its place.
    BecomeSpinning(s->mp);
    return false;
  }
  PidlePut(ReleaseP());
  return true;
}

// Step 3 of the parker: a P to go on with if there is work after all.
P* LookAgain() {
  if (sched.runqsize.load() != 0) {
    LockGuard l(&sched.lock);
    if (sched.runqsize.load(std::memory_order_relaxed) != 0) {
      if (P* pp = PidleGet()) return pp;
    }
  }
  return CheckRunqs();
}

// Gives the P up and goes to sleep. On return the M has a P again, and *found may be set.
void Park(Search* s, Found* found) {
  M* mp = s->mp;
  if (!GiveUpP(s, found)) return;
  if (mp->spinning) {
    mp->spinning = false;
    if (sched.nmspinning.fetch_sub(1) - 1 < 0) Throw("findrunnable: negative nmspinning");
  }
  // An M that was not spinning looks again, too: a submitter that saw no idle P has woken no M.
  if (P* pp = LookAgain()) {
    AcquireP(pp);
    BecomeSpinning(mp);
    return;
  }
  s->poll_until = CheckTimers(s->poll_until);
  if (sched_hooks.netpoll_inited && (sched.netpoll_waiters.load() != 0 || s->poll_until != 0)) {
    if (sched.lastpoll.exchange(0) != 0) {
      if (SleepInPoller(s, found)) return;
    } else if (s->poll_until != 0) {
      // Another M polls, and must not sleep past this M's earliest timer.
      int64_t until = sched.poll_until.load();
      if (until == 0 || until > s->poll_until) sched_hooks.netpoll_break();
    }
  }
  StopM();
}

}  // namespace

bool WorkInARunq() {
  int32_t n = gomaxprocs.load(std::memory_order_acquire);  // pairs with: ProcResize
  for (int32_t i = 0; i < n; ++i) {
    // Another M may put work on an idle P only after clearing its bit (tests/model/README.md).
    if (!idlep_mask.Read(i) && !RunqEmpty(allp[i].load(std::memory_order_acquire))) return true;
  }
  return false;
}

Found FindRunnable() {
  Search s{Getg()->m, nullptr};
  while (true) {
    s.pp = s.mp->p.load(std::memory_order_relaxed);
    if (sched.gcwaiting.load()) {
      GcStopM();
      continue;
    }
    s.now = 0;  // the clock has moved on since the last round
    s.poll_until = 0;
    Found found = FromHere(&s);
    if (found.gp == nullptr) found = FromGlobal(&s);
    if (found.gp == nullptr) found = FromPoller(s.pp);
    if (found.gp == nullptr) found = FromOthers(&s);
    if (found.gp == nullptr) Park(&s, &found);
    if (found.gp != nullptr) return found;
  }
}

}  // namespace gort::rt
