// timer/internal/entries.h: what stands in a TimerHeap, and how it is kept in order.
// What      An entry is a timer's or a sleeper's. Of a timer's entries one counts, the others are
//           zombies (timers.h); the functions here find and bury them.
// Layer     8. Package-internal. A TimerHeap's lock is held, unless it says otherwise.
#ifndef GORT_TIMER_INTERNAL_ENTRIES_H_
#define GORT_TIMER_INTERNAL_ENTRIES_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/g.h"
#include "gort/timer/internal/timers.h"

namespace gort::rt {

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

// A reference for the heap; the caller has one of its own.
inline void RefByHeap(Timer* t) {
  if (t->release == nullptr) return;
  if (!t->fired) {
    t->refs.store(2, std::memory_order_relaxed);  // nobody else has one
  } else {
    t->refs.fetch_add(1, std::memory_order_relaxed);  // relaxed: the caller has a reference
  }
}

// An entry may stand for a goroutine that sleeps, without a timer: the address of the G, plus 1. It
// is live and exact, for nobody stops it.
inline Timer* SleeperEntry(G* gp) {
  return reinterpret_cast<Timer*>(reinterpret_cast<uintptr_t>(gp) + 1);
}
inline bool IsSleeper(const Timer* t) { return (reinterpret_cast<uintptr_t>(t) & 1) != 0; }
inline G* SleeperOf(const Timer* t) {
  return reinterpret_cast<G*>(reinterpret_cast<uintptr_t>(t) - 1);
}
static_assert(alignof(G) > 1 && alignof(Timer) > 1);

// Removes one entry of t, which the caller takes out of the array.
inline void DropEntry(Timer* t, Garbage* garbage) {
  if (--t->n_entries == 0) garbage->Unref(t);
}

// Restores the invariant of the top.
void CleanTop(TimerHeap* ts, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu);

// Removes every zombie. Afterwards each live timer has one entry, which is exact.
void Sweep(TimerHeap* ts, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu);

// Removes the zombies at the end of the array: a timer that was stopped right after it was made is
// often still there.
void DropLastZombies(TimerHeap* ts, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu);

// The same, and all others when they are too many.
void MaybeSweep(TimerHeap* ts, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu);

// Tells proc what it may see without the lock. True when the next timer is now an earlier one.
bool Publish(TimerHeap* ts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(ts->mu);

}  // namespace gort::rt

#endif  // GORT_TIMER_INTERNAL_ENTRIES_H_
