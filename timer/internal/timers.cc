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
#include "gort/timer/internal/entries.h"

namespace gort::rt {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

constinit TimerHeap heaps[kMaxProcs];
static_assert(std::is_trivially_destructible_v<TimerHeap>, "timers run on while a program exits");

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
    // No P yet: the runtime has not started. TimersInstall gives P 0 what waits in its heap.
    ts_ = pp != nullptr ? TimerHeapOf(pp) : &heaps[0];
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

// For a timer that Publish found to be the earliest now.
void WakePollerIf(bool earlier, int64_t when) {
  if (earlier) WakeNetPoller(when);
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

// Locks the heap that t belongs to, and leaves t there. A timer that was never armed goes to the
// heap of P 0.
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

// Takes t, with its entries, out of a heap of real time: a timer that a goroutine of b arms goes by
// the time of b. True: t was armed in that heap.
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
    WakePollerIf(earlier, when);
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
  WakePollerIf(earlier, when);
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
  WakePollerIf(earlier, when);
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
  TimerHeap* ts = &heaps[0];
  LockGuard lock(&ts->mu);
  if (ts->pp == nullptr)
    ts->pp = allp[0].load(std::memory_order_acquire);  // pairs with: ProcResize
  Publish(ts);
}

}  // namespace gort::rt
