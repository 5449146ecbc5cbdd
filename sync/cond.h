// gort/sync/cond.h: waiting for a condition that a Mutex guards.
// What      gort::Cond. Signal wakes the one that has waited longest, Broadcast all. A Wait returns
//           only when woken; other goroutines may have run since, so test the condition in a loop,
//           or let Wait(predicate) do it.
// Layer     10.                                        Go: sync.Cond
// Contract  | call              | goroutine | other thread | parks | allocates |
//           | Wait              |     x     | blocks it    |   x   |     -     |
//           | Signal, Broadcast |     x     |      x       |   -   |     -     |
#ifndef GORT_SYNC_COND_H_
#define GORT_SYNC_COND_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/lock/mutex.h"
#include "gort/sync/internal/copy_check.h"
#include "gort/sync/mutex.h"

namespace gort {
namespace rt {

struct Sudog;

// The queue of a Cond. A waiter draws a ticket while it still holds the user's lock and comes to
// sleep later, possibly after the ticket was called; it then does not sleep at all. Tickets are
// called in order, hence first come, first served. Go: notifyList
class NotifyList {
 public:
  // Draws a ticket. Go: notifyListAdd
  uint32_t Add() { return wait_.fetch_add(1); }
  // Sleeps until the ticket is called. Go: notifyListWait
  void Wait(uint32_t ticket);
  // Calls the next ticket / all. Go: notifyListNotifyOne, notifyListNotifyAll
  void NotifyOne();
  void NotifyAll();

 private:
  // Takes the waiter with that ticket off the list; null: it has not come to sleep yet.
  Sudog* Remove(uint32_t ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  std::atomic<uint32_t> wait_{0};    // the next ticket to draw
  std::atomic<uint32_t> notify_{0};  // the next ticket to call; written under lock_
  Mutex lock_{LockRank::kRoot};
  Sudog* first_ ABSL_GUARDED_BY(lock_) = nullptr;  // sleepers, linked by next
  Sudog* last_ ABSL_GUARDED_BY(lock_) = nullptr;
};

}  // namespace rt

class Cond {
 public:
  // mu is the lock that guards the condition; it must outlive this.
  explicit Cond(Mutex& mu) : mu_(mu) {}
  Cond(const Cond&) = delete;
  Cond& operator=(const Cond&) = delete;

  // Unlocks the Mutex, waits for Signal or Broadcast, and locks it again. Requires: it is locked.
  void Wait() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    copied_.Use("sync.Cond is copied");
    uint32_t ticket = list_.Add();
    mu_.Unlock();
    list_.Wait(ticket);
    mu_.Lock();
  }
  // Waits until pred(), which is called with the Mutex locked.
  template <class Predicate>
  void Wait(Predicate pred) {
    while (!pred()) Wait();
  }

  // The Mutex may be held or not.
  void Signal() {
    copied_.Use("sync.Cond is copied");
    list_.NotifyOne();
  }
  void Broadcast() {
    copied_.Use("sync.Cond is copied");
    list_.NotifyAll();
  }

 private:
  Mutex& mu_;
  rt::NotifyList list_;
  [[no_unique_address]] rt::CopyCheck copied_;
};

}  // namespace gort

#endif  // GORT_SYNC_COND_H_
