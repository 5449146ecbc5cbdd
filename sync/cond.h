// gort/sync/cond.h: waiting for a condition that a Mutex guards.
// What      gort::Cond. Signal wakes the one that has waited longest, Broadcast all. A Wait returns
//           when woken, or when its context ends, and not by itself. Other goroutines may have run
//           since, so test the condition in a loop, or let Wait(predicate) do it.
// Layer     10.                                        Go: sync.Cond
// Contract  | call              | goroutine | other thread | parks | allocates |
//           | Wait              |     x     | blocks it    |   x   |     -     |
//           | Signal, Broadcast |     x     |      x       |   -   |     -     |
#ifndef GORT_SYNC_COND_H_
#define GORT_SYNC_COND_H_

#include <atomic>
#include <concepts>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "gort/base/list.h"
#include "gort/context/context.h"
#include "gort/lock/mutex.h"
#include "gort/sync/internal/copy_check.h"
#include "gort/sync/mutex.h"

namespace gort {
namespace rt {

struct G;

// A call that waits, in its frame.
struct NotifyWaiter : ListNode<NotifyWaiter> {
  enum State : uint8_t { kAwake, kParked, kNotified, kGivenUp };

  // Guarded by the list's lock.
  G* gp = nullptr;  // null: not on the list yet
  State state = kAwake;
};

// The queue of a Cond. A waiter goes on the list while it still holds the user's lock, and comes to
// sleep later, possibly after it was notified; it then does not sleep at all. First come, first
// served. Go: notifyList; differs: no tickets, as a waiter that gives up must leave no hole
class NotifyList {
 public:
  // Puts *w on the list, unless it has given up already. Go: notifyListAdd
  void Add(NotifyWaiter* w);
  // Requires: Add. Sleeps until *w is notified; false: it has given up. Go: notifyListWait
  bool Wait(NotifyWaiter* w);
  // Takes *w off the list, now or when it comes. Returns its goroutine, to be readied; null: it is
  // awake.
  G* GiveUp(NotifyWaiter* w);
  // Notifies the first / all. Go: notifyListNotifyOne, notifyListNotifyAll
  void NotifyOne();
  void NotifyAll();

 private:
  void Remove(NotifyWaiter* w) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // Takes the first off the list. Returns its goroutine, to be readied; null: it is awake.
  G* Notify() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  std::atomic<int64_t> listed_{0};  // written under lock_
  Mutex lock_{LockRank::kRoot};
  List<NotifyWaiter> waiters_ ABSL_GUARDED_BY(lock_);
};

}  // namespace rt

class Cond {
 public:
  // mu is the lock that guards the condition; it must outlive this.
  explicit Cond(Mutex& mu) : mu_(mu) {}
  Cond(const Cond&) = delete;
  Cond& operator=(const Cond&) = delete;

  // Unlocks the Mutex, waits for Signal or Broadcast, and locks it again. Requires: it is locked.
  void Wait();
  // The same, until ctx is cancelled. Ok: woken, also when ctx was cancelled at the same moment; so
  // no Signal is lost. Otherwise ctx.Err(), also when ctx was cancelled before the call. The Mutex is
  // locked again in every case, and waited for without regard to ctx.
  absl::Status Wait(const Context& ctx);
  // Waits until pred(), which is called with the Mutex locked.
  template <std::predicate Predicate>
  void Wait(Predicate pred) {
    while (!pred()) Wait();
  }
  // Ok: pred() holds; otherwise ctx.Err().
  template <std::predicate Predicate>
  absl::Status Wait(const Context& ctx, Predicate pred) {
    absl::Status waited;
    while (!pred()) {
      if (!waited.ok()) return waited;
      waited = Wait(ctx);
    }
    return absl::OkStatus();
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
