#include "gort/timer/internal/entries.h"

#include <cstddef>

#include "gort/gmp/p.h"
#include "gort/timer/internal/timer_heap.h"

namespace gort::rt {
namespace {

// Heaps up to this size keep their zombies.
constexpr size_t kSweepMin = 64;

// True when e, an entry of t, is a zombie.
bool IsZombie(const WhenHeap::Entry& e) {
  return !IsSleeper(e.timer) && (e.timer->when == 0 || e.when != e.timer->key);
}

// Forgets the zombie e, which the caller removes from the array.
void BuryZombie(const WhenHeap::Entry& e, Garbage* garbage) {
  if (e.when == e.timer->key) e.timer->key = 0;
  DropEntry(e.timer, garbage);
}

}  // namespace

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

}  // namespace gort::rt
