// What of the timers is due: taken out of a heap and fired.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/timer/internal/bubble.h"
#include "gort/timer/internal/entries.h"
#include "gort/timer/internal/timers.h"

namespace gort::rt {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

// Timers taken from the heap before its lock is given up to run them. No more than goroutines run
// between two looks at the timers: of very many that are due, those wait in the heap for which there
// is no room in the queue (CheckTimers).
constexpr int kBatch = 8;

// Takes the top, which is due and a timer's, out of the heap or on to its next period. Holds a
// reference for the call of fire.
void TakeTimer(TimerHeap* ts, int64_t now, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu) {
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
  int64_t when;
  uint32_t seq;
  bool counted;
};

struct Batch {
  Due due[kBatch];
  int n = 0;
  bool first = true;  // no due timers were left behind by the batch before
  int64_t next = 0;   // the time of the one after; 0: none
};

// Takes the top, which is due.
Due TakeTop(TimerHeap* ts, int64_t now, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu) {
  Timer* t = ts->heap.top().timer;
  if (IsSleeper(t)) {
    __builtin_prefetch(SleeperOf(t), /*rw=*/1);
    TakeSleeper(ts, garbage);
    return Due{t, 0, 0, false};
  }
  const Due due{t, t->when, t->seq, t->release != nullptr};
  TakeTimer(ts, now, garbage);
  return due;
}

// Takes at most kBatch timers that are due.
void TakeDue(TimerHeap* ts, int64_t now, Batch* batch) {
  Garbage garbage;
  LockGuard lock(&ts->mu);
  batch->first = !ts->behind;
  while (batch->n < kBatch && !ts->heap.empty() && ts->heap.top().when <= now) {
    batch->due[batch->n++] = TakeTop(ts, now, &garbage);
  }
  MaybeSweep(ts, &garbage);
  ts->heap.Shrink();
  Publish(ts);
  batch->next = ts->heap.empty() ? 0 : ts->heap.top().when;
  ts->behind = batch->next != 0 && batch->next <= now;
}

// Returns a goroutine to ready, or null.
G* Fire(const Due& due) {
  Timer* t = due.t;
  if (IsSleeper(t)) return SleeperOf(t);
  G* gp = t->fire(t, due.seq, due.when);
  if (due.counted) TimerUnref(t);
  return gp;
}

// A goroutine that soon goes on: where its stack was left comes from memory meanwhile.
void PrefetchStack(const G* gp) {
  constexpr size_t kLine = 64;
  const auto* sp = reinterpret_cast<const char*>(gp->sched.sp);
  for (size_t i = 0; i < 4; ++i) __builtin_prefetch(sp + i * kLine, /*rw=*/1);
}

// Fires the batch in order, then readies the goroutines that this woke, also in order: the list
// goes behind what is runnable. A goroutine that is `alone` runs next instead.
void Run(const Batch& batch, bool alone) {
  G* woken[kBatch];
  int n_woken = 0;
  for (int i = 0; i < batch.n; ++i) {
    if (G* gp = Fire(batch.due[i]); gp != nullptr) woken[n_woken++] = gp;
  }
  if (n_woken == 1 && alone) {
    GoReady(woken[0]);
    return;
  }
  GList list;
  while (n_woken > 0) {
    G* gp = woken[--n_woken];
    PrefetchStack(gp);
    list.Push(gp);
  }
  InjectGList(&list, WokenBy::kTimer);
}

// True when the caller's P has goroutines to run.
bool WorkQueued() {
  const G* self = Getg();
  const P* pp = self != nullptr ? self->m->p.load(std::memory_order_relaxed) : nullptr;
  if (pp == nullptr) return false;
  // relaxed: a guess will do
  return pp->runq.runnext.load(std::memory_order_relaxed) != nullptr ||
         pp->runq.head.load(std::memory_order_relaxed) !=
             pp->runq.tail.load(std::memory_order_relaxed);
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

int64_t CheckTimers(P* pp, int64_t now, bool* ran) {
  *ran = false;
  int64_t next = pp->timer0_when.load(std::memory_order_acquire);  // pairs with: Publish
  if (next == 0) return 0;
  if (now == 0) now = Nanotime();
  while (next != 0 && next <= now) {
    Batch batch;
    TakeDue(TimerHeapOf(pp), now, &batch);
    next = batch.next;
    if (batch.n == 0) continue;
    Run(batch, /*alone=*/batch.n == 1 && batch.first && !*ran);
    *ran = true;
    // Goroutines that are woken long before they run are out of the cache again by then, and what
    // the queue has no room for goes through the global one.
    if (WorkQueued()) break;
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
    Batch batch;
    TakeDue(&b->timers, now, &batch);
    next = batch.next;
    Run(batch, /*alone=*/false);
  }
}

void BubbleDropTimers(Bubble* b) {
  {
    LockGuard lock(&b->timers.mu);
    ++b->timers.epoch;
  }
  // A timer that has entries may be armed again meanwhile, by others, and is dropped again.
  while (!ForgetPeriods(&b->timers)) {
    Batch batch;
    TakeDue(&b->timers, kForever, &batch);
    for (int i = 0; i < batch.n; ++i) {
      batch.due[i].when = kTimerDropped;
      Fire(batch.due[i]);
    }
  }
}

}  // namespace gort::rt
