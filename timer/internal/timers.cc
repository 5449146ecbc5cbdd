#include "gort/timer/internal/timers.h"

#include <cstddef>
#include <limits>
#include <type_traits>

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/timer/internal/bubble.h"

namespace gort::rt {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

// Timers taken from the heap before its lock is given up to run them.
constexpr int kBatch = 32;
// Heaps up to this size keep their zombies.
constexpr size_t kSweepMin = 64;

constinit TimerHeap heaps[kMaxProcs];
static_assert(std::is_trivially_destructible_v<TimerHeap>, "timers run on while a program exits");

// Timers whose last reference went while a lock was held. Of `held` the caller has a reference.
class Garbage {
 public:
  explicit Garbage(const Timer* held = nullptr) : held_(held) {}
  Garbage(const Garbage&) = delete;
  Garbage& operator=(const Garbage&) = delete;
  // The caller must have given up the lock.
  ~Garbage() {
    while (list_ != nullptr) {
      Timer* t = list_;
      list_ = t->free_link;
      t->release(t);
    }
  }
  // Drops the heap's reference of t, which is in a heap whose lock the caller holds.
  void Unref(Timer* t) {
    if (t->release == nullptr) return;
    if (t == held_ && !t->fired) {  // the owner's is then the only other one
      t->refs.store(1, std::memory_order_relaxed);
      return;
    }
    if (t->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;  // pairs with: itself
    t->free_link = list_;
    list_ = t;
  }

 private:
  const Timer* const held_;
  Timer* list_ = nullptr;
};

// A reference for the heap, whose lock the caller holds; the caller has one of its own.
void RefByHeap(Timer* t) {
  if (t->release == nullptr) return;
  if (!t->fired) {
    t->refs.store(2, std::memory_order_relaxed);  // nobody else has one
  } else {
    t->refs.fetch_add(1, std::memory_order_relaxed);  // relaxed: the caller has a reference
  }
}

// Keeps the goroutine on its P, so that the P is neither given up nor dissolved meanwhile.
class PinnedHeap {
 public:
  explicit PinnedHeap(Bubble* bubble) {
    G* gp = Getg();
    P* pp = nullptr;
    if (gp != nullptr && !gp->foreign) {
      pp = gp->m->p.load(std::memory_order_relaxed);  // this M writes it
    }
    if (pp == nullptr) pp = allp[0].load(std::memory_order_acquire);  // pairs with: ProcResize
    if (pp == nullptr) Throw("timer: the scheduler is not initialised");
    ts_ = TimerHeapOf(pp);
    pp_ = pp;
    if (bubble != nullptr) {
      ts_ = &bubble->timers;
      pp_ = nullptr;
    }
  }
  PinnedHeap(const PinnedHeap&) = delete;
  PinnedHeap& operator=(const PinnedHeap&) = delete;

  TimerHeap* ts() const { return ts_; }
  P* pp() const { return pp_; }

 private:
  const PinnedWithP pinned_;
  TimerHeap* ts_;
  P* pp_;
};

// An entry may stand for a goroutine that sleeps, without a timer: the address of the G, plus 1. It
// is live and exact, for nobody stops it.
Timer* SleeperEntry(G* gp) { return reinterpret_cast<Timer*>(reinterpret_cast<uintptr_t>(gp) + 1); }
bool IsSleeper(const Timer* t) { return (reinterpret_cast<uintptr_t>(t) & 1) != 0; }
G* SleeperOf(const Timer* t) { return reinterpret_cast<G*>(reinterpret_cast<uintptr_t>(t) - 1); }
static_assert(alignof(G) > 1 && alignof(Timer) > 1);

void DropEntry(Timer* t, Garbage* garbage) {
  if (--t->n_entries == 0) garbage->Unref(t);
}

// True when e, an entry of t, is a zombie.
bool IsZombie(const WhenHeap::Entry& e) {
  return !IsSleeper(e.timer) && (e.timer->when == 0 || e.when != e.timer->key);
}

// Forgets the zombie e, which the caller removes from the array.
void BuryZombie(const WhenHeap::Entry& e, Garbage* garbage) {
  if (e.when == e.timer->key) e.timer->key = 0;
  DropEntry(e.timer, garbage);
}

// Restores the invariant of the top.
void CleanTop(TimerHeap* ts, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu) {
  while (!ts->heap.empty()) {
    WhenHeap::Entry e = ts->heap.top();
    if (IsSleeper(e.timer)) return;
    if (IsZombie(e)) {
      ts->heap.PopTop();
      BuryZombie(e, garbage);
    } else if (e.timer->when != e.when) {
      e.timer->key = e.timer->when;
      ts->heap.RekeyTop(e.timer->when);
    } else {
      return;
    }
  }
}

// Removes every zombie. Afterwards each live timer has one entry, which is exact.
void Sweep(TimerHeap* ts, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu) {
  WhenHeap::Entry* at = ts->heap.entries();
  size_t kept = 0;
  for (size_t i = 0; i < ts->heap.size(); ++i) {
    WhenHeap::Entry e = at[i];
    Timer* t = e.timer;
    if (IsSleeper(t)) {
      at[kept++] = e;
    } else if (IsZombie(e)) {
      BuryZombie(e, garbage);
    } else if (t->swept) {
      // A second entry with the time of the one that counts.
      DropEntry(t, garbage);
    } else {
      t->swept = true;
      at[kept++] = e;
    }
  }
  for (size_t i = 0; i < kept; ++i) {
    Timer* t = at[i].timer;
    if (IsSleeper(t)) continue;
    t->swept = false;
    t->key = at[i].when = t->when;
  }
  ts->heap.Rebuild(kept);
  ts->heap.Shrink();
}

void DropLastZombies(TimerHeap* ts, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu) {
  while (!ts->heap.empty() && IsZombie(ts->heap.last())) {
    WhenHeap::Entry e = ts->heap.last();
    ts->heap.PopLast();
    BuryZombie(e, garbage);
  }
}

void MaybeSweep(TimerHeap* ts, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu) {
  DropLastZombies(ts, garbage);
  const int64_t entries = static_cast<int64_t>(ts->heap.size());
  if (ts->heap.size() > kSweepMin && entries - ts->live > entries / 2) Sweep(ts, garbage);
}

// Tells proc what it may see without the lock. True when the next timer is now an earlier one.
bool Publish(TimerHeap* ts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu) {
  if (ts->pp == nullptr) return false;
  const int64_t next = ts->heap.empty() ? 0 : ts->heap.top().when;
  const uint32_t live = ts->live > 0 ? static_cast<uint32_t>(ts->live) : 0;
  // relaxed: written under ts->mu only.
  const int64_t before = ts->pp->timer0_when.load(std::memory_order_relaxed);
  if (ts->pp->num_timers.load(std::memory_order_relaxed) != live) {
    ts->pp->num_timers.store(live, std::memory_order_release);  // pairs with: readers in proc
  }
  if (next == before) return false;
  if (next == 0 || (before != 0 && next > before)) {
    ts->pp->timer0_when.store(next, std::memory_order_release);  // pairs with: readers in proc
    return false;
  }
  // seq_cst: an M that goes to sleep publishes until when it sleeps and then reads this; a call
  // that arms a timer writes this and then reads until when that M sleeps (WakeNetPoller). One of
  // the two sees the other.
  ts->pp->timer0_when.store(next);
  return true;
}

// Locks the heap that t belongs to. A timer without entries moves to `mine` first, unless it is of
// a bubble that has not ended.
TimerHeap* LockHeapOf(Timer* t, const PinnedHeap& mine) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (;;) {
    TimerHeap* ts = t->ts.load(std::memory_order_acquire);  // pairs with: stores here, AdoptTimers
    if (ts == nullptr) {
      t->ts.compare_exchange_strong(ts, mine.ts());
      continue;
    }
    ts->mu.Lock();
    // A timer leaves ts under ts->mu, but it comes back to ts under the lock of the heap that it
    // was in meanwhile. pairs with: AdoptTimers
    if (t->ts.load(std::memory_order_acquire) == ts) {
      if (ts == mine.ts()) {
        if (ts->pp == nullptr) ts->pp = mine.pp();
        t->epoch = ts->epoch;
        return ts;
      }
      if (t->n_entries != 0 || (ts->of_bubble && t->epoch == ts->epoch)) return ts;
      t->ts.store(mine.ts(), std::memory_order_release);  // pairs with: the load above
    }
    ts->mu.Unlock();
  }
}

// Locks the heap that t belongs to, where t stays. A timer that was never armed goes to P 0's.
TimerHeap* LockWhereItIs(Timer* t) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (;;) {
    TimerHeap* ts = t->ts.load(std::memory_order_acquire);  // pairs with: LockHeapOf
    if (GORT_UNLIKELY(ts == nullptr)) {
      t->ts.compare_exchange_strong(ts, &heaps[0]);
      continue;
    }
    ts->mu.Lock();
    if (GORT_LIKELY(t->ts.load(std::memory_order_acquire) == ts)) return ts;
    ts->mu.Unlock();
  }
}

// A timer that a goroutine of b arms goes by the time of b: takes t, with whatever entries it has,
// out of a heap of real time. True: t was armed there.
bool LeaveRealTime(Timer* t, Bubble* b) {
  for (;;) {
    TimerHeap* ts = t->ts.load(std::memory_order_acquire);  // pairs with: LockHeapOf
    if (ts == nullptr || ts->of_bubble) return false;
    Garbage garbage;
    LockGuard lock(&ts->mu);
    if (t->ts.load(std::memory_order_acquire) != ts) continue;  // pairs with: LockHeapOf
    const bool armed = t->when != 0;
    if (armed) {
      t->when = 0;
      --ts->live;
    }
    if (t->n_entries != 0) {
      Sweep(ts, &garbage);
      CleanTop(ts, &garbage);
      Publish(ts);
    }
    t->ts.store(&b->timers, std::memory_order_release);  // pairs with: LockHeapOf
    return armed;
  }
}

// The same delay from now by the clock of ts, a bubble's, as `when` is by the caller's.
int64_t WhenIn(const TimerHeap* ts, const Bubble* callers, int64_t when) {
  if (when == kForever) return when;
  static_assert(offsetof(Bubble, timers) == 0);
  const auto* b = reinterpret_cast<const Bubble*>(ts);
  // relaxed: a clock that moves meanwhile is as good as one that moves later.
  const int64_t now =
      callers != nullptr ? callers->now_ns.load(std::memory_order_relaxed) : Nanotime();
  const int64_t late = now - b->now_ns.load(std::memory_order_relaxed);
  return late < 0 && when > kForever + late ? kForever : when - late;
}

// Takes the top, which is due, out of the heap or on to its next period. Holds a reference for the
// call of fire.
void TakeTop(TimerHeap* ts, int64_t now, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu) {
  Timer* t = ts->heap.top().timer;
  t->fire_seq = t->seq;
  t->fired = true;
  if (t->release != nullptr) t->refs.fetch_add(1, std::memory_order_relaxed);  // the heap has one
  if (t->period > 0) {
    // Periods that passed meanwhile are skipped; the phase is kept.
    const int64_t last = t->when + (now - t->when) / t->period * t->period;
    t->when = last > kForever - t->period ? kForever : last + t->period;
  } else {
    ts->heap.PopTop();
    t->when = t->key = 0;
    --ts->live;
    DropEntry(t, garbage);
  }
  CleanTop(ts, garbage);
}

// Takes the top, which is due and a sleeper's, out of the heap.
void TakeSleeper(TimerHeap* ts, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu) {
  ts->heap.PopTop();
  --ts->live;
  CleanTop(ts, garbage);
}

// A timer taken from the heap, with what must be known of it without the lock; or a sleeper's entry.
struct Due {
  Timer* t;
  int64_t late_ns;
  uint32_t seq;
  bool counted;
};

// Takes at most kBatch timers that are due; *next is the time of the one after.
int TakeDue(TimerHeap* ts, int64_t now, Due* due, int64_t* next) {
  Garbage garbage;
  LockGuard lock(&ts->mu);
  int n = 0;
  while (n < kBatch && !ts->heap.empty() && ts->heap.top().when <= now) {
    Timer* t = ts->heap.top().timer;
    if (IsSleeper(t)) {
      __builtin_prefetch(SleeperOf(t), 1);
      due[n++] = Due{t, 0, 0, false};
      TakeSleeper(ts, &garbage);
    } else {
      due[n++] = Due{t, now - t->when, t->seq, t->release != nullptr};
      TakeTop(ts, now, &garbage);
    }
  }
  MaybeSweep(ts, &garbage);
  ts->heap.Shrink();
  Publish(ts);
  *next = ts->heap.empty() ? 0 : ts->heap.top().when;
  return n;
}

// Returns a goroutine to ready, or null.
G* Fire(const Due& due) {
  Timer* t = due.t;
  if (IsSleeper(t)) return SleeperOf(t);
  G* gp = t->fire(t, due.seq, due.late_ns);
  if (due.counted) TimerUnref(t);
  return gp;
}

// Fires due[0, n) in order, then readies the goroutines that this woke, also in order: the list
// goes behind what is runnable. A goroutine that is `alone` runs next instead.
void Run(Due* due, int n, bool alone) {
  G* woken[kBatch];
  int n_woken = 0;
  for (int i = 0; i < n; ++i) {
    if (G* gp = Fire(due[i]); gp != nullptr) woken[n_woken++] = gp;
  }
  if (n_woken == 1 && alone) {
    GoReady(woken[0]);
    return;
  }
  GList list;
  while (n_woken > 0) list.Push(woken[--n_woken]);
  InjectGList(&list);
}

// Makes every timer of ts one that runs once. True: there are none.
bool ForgetPeriods(TimerHeap* ts) {
  LockGuard lock(&ts->mu);
  for (size_t i = 0; i < ts->heap.size(); ++i) {
    Timer* t = ts->heap.entries()[i].timer;
    if (!IsSleeper(t)) t->period = 0;
  }
  return ts->heap.empty();
}

}  // namespace

TimerHeap* TimerHeapOf(const P* pp) { return &heaps[pp->id]; }

int64_t UserNanotime() {
  Bubble* b = CurrentBubble();
  return GORT_LIKELY(b == nullptr) ? Nanotime() : b->now_ns.load(std::memory_order_relaxed);
}

int64_t UserWalltime() {
  Bubble* b = CurrentBubble();
  if (GORT_LIKELY(b == nullptr)) return Walltime();
  return kBubbleEpochNs + b->now_ns.load(std::memory_order_relaxed) - kBubbleStartNs;
}

int64_t TimerWhen(int64_t d_ns) {
  const int64_t now = UserNanotime();
  if (d_ns <= 0) return now;
  return d_ns > kForever - now ? kForever : now + d_ns;
}

bool TimerReset(Timer* t, int64_t when, int64_t period, bool* taken) {
  return TimerResetIn(CurrentBubble(), t, when, period, taken);
}

bool TimerResetIn(Bubble* bubble, Timer* t, int64_t when, int64_t period,
                  bool* taken) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  bool earlier;
  bool pending;
  {
    const bool left = bubble != nullptr && LeaveRealTime(t, bubble);
    PinnedHeap mine(bubble);
    Garbage garbage(t);
    TimerHeap* ts = LockHeapOf(t, mine);
    if (ts->of_bubble && ts != mine.ts()) when = WhenIn(ts, bubble, when);
    pending = left || t->when != 0;
    if (taken != nullptr) *taken = t->fire_seq == t->seq;
    ++t->seq;
    if (t->when == 0) ++ts->live;
    t->when = when;
    t->period = period;
    if (t->key == 0 || when < t->key) {
      if (t->n_entries++ == 0) RefByHeap(t);
      t->key = when;
      ts->heap.Push(when, t);
    } else if (!ts->heap.empty() && ts->heap.top().timer == t) {
      CleanTop(ts, &garbage);
    }
    MaybeSweep(ts, &garbage);
    earlier = Publish(ts);
    ts->mu.Unlock();
    // From here on t may have fired and be gone.
    if (earlier) WakeNetPoller(when);
  }
  return pending;
}

void TimerStart(Timer* t, int64_t when, int64_t period) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  PinnedHeap mine(CurrentBubble());
  TimerHeap* ts = mine.ts();
  ts->mu.Lock();
  if (ts->pp == nullptr) ts->pp = mine.pp();
  t->ts.store(ts, std::memory_order_release);  // pairs with: LockHeapOf
  t->epoch = ts->epoch;
  ++t->seq;
  ++ts->live;
  t->when = t->key = when;
  t->period = period;
  t->n_entries = 1;
  RefByHeap(t);
  ts->heap.Push(when, t);
  const bool earlier = Publish(ts);
  ts->mu.Unlock();
  // From here on t may have fired and be gone.
  if (earlier) WakeNetPoller(when);
}

void TimerSleep(Bubble* bubble, G* gp, int64_t when) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  PinnedHeap mine(bubble);
  TimerHeap* ts = mine.ts();
  ts->mu.Lock();
  if (ts->pp == nullptr) ts->pp = mine.pp();
  ++ts->live;
  ts->heap.Push(when, SleeperEntry(gp));
  const bool earlier = Publish(ts);
  ts->mu.Unlock();
  // From here on gp may run.
  if (earlier) WakeNetPoller(when);
}

bool TimerStop(Timer* t, bool* taken) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Garbage garbage(t);
  TimerHeap* ts = LockWhereItIs(t);
  const bool pending = t->when != 0;
  if (taken != nullptr) *taken = t->fire_seq == t->seq;
  ++t->seq;
  if (pending) {
    t->when = 0;
    --ts->live;
    // A timer that was stopped right after it was made is often still the last of the array.
    DropLastZombies(ts, &garbage);
    if (!ts->heap.empty() && ts->heap.top().timer == t) CleanTop(ts, &garbage);
    MaybeSweep(ts, &garbage);
    Publish(ts);
  }
  ts->mu.Unlock();
  return pending;
}

void TimerUnref(Timer* t) {
  // acquire and acq_rel: pair with the other owners' decrements. 1: nobody else is there to add one.
  if (t->refs.load(std::memory_order_acquire) == 1 ||
      t->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    t->release(t);
  }
}

int64_t CheckTimers(P* pp, int64_t now, bool* ran) {
  *ran = false;
  int64_t next = pp->timer0_when.load(std::memory_order_acquire);  // pairs with: Publish
  if (next == 0) return 0;
  if (now == 0) now = Nanotime();
  while (next != 0 && next <= now) {
    Due due[kBatch];
    const int n = TakeDue(TimerHeapOf(pp), now, due, &next);
    if (n == 0) continue;
    Run(due, n, /*alone=*/n == 1 && !*ran);
    *ran = true;
  }
  return next;
}

int64_t BubbleNextTimer(Bubble* b) {
  LockGuard lock(&b->timers.mu);
  if (b->timers.heap.empty()) return 0;
  const int64_t next = b->timers.heap.top().when;
  return next == kForever ? 0 : next;
}

void BubbleAdvance(Bubble* b, int64_t now) {
  // relaxed: changed while all goroutines of the bubble are parked; their wake-up publishes the
  // value.
  if (now > b->now_ns.load(std::memory_order_relaxed)) {
    b->now_ns.store(now, std::memory_order_relaxed);
  }
  now = b->now_ns.load(std::memory_order_relaxed);
  for (int64_t next = BubbleNextTimer(b); next != 0 && next <= now;) {
    Due due[kBatch];
    const int n = TakeDue(&b->timers, now, due, &next);
    Run(due, n, /*alone=*/false);
  }
}

void BubbleDropTimers(Bubble* b) {
  {
    LockGuard lock(&b->timers.mu);
    ++b->timers.epoch;
  }
  // A timer that has entries may be armed again meanwhile, by others, and is dropped again.
  while (!ForgetPeriods(&b->timers)) {
    Due due[kBatch];
    int64_t next;
    const int n = TakeDue(&b->timers, kForever, due, &next);
    for (int i = 0; i < n; ++i) {
      due[i].late_ns = kTimerDropped;
      Fire(due[i]);
    }
  }
}

void AdoptTimers(P* from, P* to) {
  // One lock is held at a time. Meanwhile a foreign thread may find its timer bound to `to` before
  // the timer's entries are there. The thread then marks the timer, or adds an earlier entry, and
  // Sweep at the end sees both.
  TimerHeap* src = TimerHeapOf(from);
  TimerHeap* dst = TimerHeapOf(to);
  WhenHeap moving;
  int64_t live = 0;
  {
    LockGuard lock(&src->mu);
    for (size_t i = 0; i < src->heap.size(); ++i) {
      Timer* t = src->heap.entries()[i].timer;
      if (IsSleeper(t)) continue;
      t->ts.store(dst, std::memory_order_release);  // pairs with: LockHeapOf
    }
    moving.TakeAll(&src->heap);
    live = src->live;
    src->live = 0;
    Publish(src);
  }
  if (moving.empty()) {
    moving.Free();
    return;
  }
  bool earlier = false;
  int64_t next = 0;
  {
    Garbage garbage;
    LockGuard lock(&dst->mu);
    if (dst->pp == nullptr) dst->pp = to;
    for (size_t i = 0; i < moving.size(); ++i) {
      dst->heap.Append(moving.entries()[i].when, moving.entries()[i].timer);
    }
    dst->live += live;
    moving.Free();
    Sweep(dst, &garbage);
    earlier = Publish(dst);
    next = dst->heap.empty() ? 0 : dst->heap.top().when;
  }
  if (earlier) WakeNetPoller(next);
}

void TimersInstall() {
  sched_hooks.check_timers = CheckTimers;
  sched_hooks.adopt_timers = AdoptTimers;
}

}  // namespace gort::rt
