// gort/sync/mutex.h: a lock that parks the goroutine.
// What      gort::Mutex. Normal mode: the lock goes to whoever takes it first, waiters queue in
//           order of arrival. A waiter that has not got it within 1 ms turns on starvation mode:
//           the lock is handed from owner to waiter, first come first served, until a waiter is the
//           last or waited less than that.
// Layer     10.                                        Go: sync.Mutex
// Use       Not recursive, not tied to a goroutine: any may unlock. Also lock, unlock, try_lock,
//           for std::lock_guard and its kin. May be destroyed by the goroutine that locks and
//           unlocks it last, even if another has not returned from Unlock yet.
// Contract  | call    | goroutine | other thread | parks | allocates |
//           | Lock    |     x     | blocks it    |   x   |     -     |
//           | TryLock |     x     |      x       |   -   |     -     |
//           | Unlock  |     x     |      x       |   -   |     -     |
#ifndef GORT_SYNC_MUTEX_H_
#define GORT_SYNC_MUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "gort/gmp/wait_reason.h"
#include "gort/sync/internal/copy_check.h"

namespace gort {

class Context;
class Once;
class RWMutex;

namespace rt {
struct SemWait;
}  // namespace rt

class ABSL_LOCKABLE Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // Go: Mutex.Lock
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { LockFor(rt::WaitReason::kSyncMutexLock); }
  // Waits until ctx is cancelled at most. Ok: locked, also when ctx was cancelled at the same moment.
  // Otherwise ctx.Err(), and not locked; also when ctx was cancelled before the call.
  absl::Status Lock(const Context& ctx);
  // Tells the compiler's check of annotations that it is locked, after Lock(ctx) has said so.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() {}
  // True: locked. Never waits; fails while waiters are being served in turn. Go: Mutex.TryLock
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true);
  // Fatal when it is not locked: "sync: unlock of unlocked mutex". Go: Mutex.Unlock
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    copied_.Use("sync.Mutex is copied");
    // Looks first: where goroutines wait, the first swap would fail, at the price of one that does
    // not.
    uint32_t s = state_.load(std::memory_order_relaxed);
    // pairs with: LockFor, LockSlow, TryLock
    if (s == kLocked && state_.compare_exchange_strong(s, 0, std::memory_order_release,
                                                       std::memory_order_relaxed)) {
      return;
    }
    if (!TryUnlockBesideWoken(s)) UnlockSlow(s);
  }

  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { Lock(); }
  bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return TryLock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { Unlock(); }

 private:
  friend class Once;
  friend class RWMutex;

  // state_: four flags, and above them the number of waiters.
  static constexpr uint32_t kLocked = 1;
  static constexpr uint32_t kWoken = 2;       // a waiter is awake and tries: Unlock wakes no other
  static constexpr uint32_t kStarving = 4;    // with kLocked only
  static constexpr uint32_t kHandedOver = 8;  // with kStarving only: no owner, but a waiter's
  static constexpr uint32_t kOneWaiter = 16;

  void LockFor(rt::WaitReason reason) ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    copied_.Use("sync.Mutex is copied");
    // One instruction, whoever waits: a lock that is not for newcomers is locked.
    // pairs with: Unlock, TryUnlockBesideWoken, UnlockSlow
    if ((state_.fetch_or(kLocked, std::memory_order_acquire) & kLocked) != 0) LockSlow(reason);
  }
  // An Unlock while waiters sleep and one is awake already: nobody is to be woken. s: what state_
  // was a moment ago. False: nothing done.
  bool TryUnlockBesideWoken(uint32_t s) {
    // pairs with: LockFor, LockSlow, TryLock
    return (s & (kLocked | kStarving | kWoken)) == (kLocked | kWoken) &&
           state_.compare_exchange_strong(s, s - kLocked, std::memory_order_release,
                                          std::memory_order_relaxed);
  }
  void LockSlow(rt::WaitReason reason);
  // wait: what ends the waiting; null: nothing. False: it did, and this is not locked.
  bool LockOr(rt::WaitReason reason, rt::SemWait* wait);
  bool GiveUp();
  bool TakeOrPassOn();
  void TakeHandedOver(bool starving);
  void UnlockSlow(uint32_t s);

  std::atomic<uint32_t> state_{0};
  std::atomic<uint32_t> sema_{0};
  [[no_unique_address]] rt::CopyCheck copied_;
};

}  // namespace gort

#endif  // GORT_SYNC_MUTEX_H_
