// lock/mutex.h: the runtime's own lock; it blocks the M (the OS thread), not the goroutine.
// What      a three-state futex lock with a short spin (Drepper, "Futexes Are Tricky"; Go's
//           lock_futex.go), for critical sections of tens of instructions in the runtime.
// Layer     3.                                                       Go: mutex (runtime2.go)
// Invariant state is kSleeping whenever a thread may be asleep on it, so that Unlock needs the
//           kernel only then. A thread that has slept once leaves kSleeping behind when it takes
//           the lock: it cannot know whether it was the only sleeper.
// Ordering  what a thread did before Unlock happens before what the next owner does after Lock.
// Counted   in ThreadPins (platforms/pins.h), from before it is taken to after it is released: a
//           goroutine keeps its P meanwhile.
// Lifetime  the next owner may free the Mutex as soon as it has it: Unlock's last access to the
//           word is the store that releases it (the wake-up after that only names the address).
// Contract  | call            | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | Lock            |   x    | x  |  x   |    -    |    x    | the M |     -     |
//           | TryLock, Unlock |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           A goroutine must not be switched away while it holds one, except that an unlock
//           function of GoPark may release it on the next context.
#ifndef GORT_LOCK_MUTEX_H_
#define GORT_LOCK_MUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/lock/held_locks.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/platforms/pins.h"

namespace gort::rt {

class ABSL_LOCKABLE Mutex {
 public:
  // rank: its place in lock_rank.txt, which debug builds hold it to.
  constexpr explicit Mutex(LockRank rank = LockRank::kNone) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // Waits until the lock is free and takes it. Not recursive: debug builds throw, others deadlock.
  // Go: lock2 (lock_futex.go).
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    CountLock();
    if (GORT_UNLIKELY(PLost())) RegainP();
    HeldLocksAcquire(this, rank_);
    uint32_t free = kUnlocked;
    if (GORT_LIKELY(state_.compare_exchange_strong(free, kLocked, std::memory_order_acquire,
                                                   std::memory_order_relaxed))) {
      return;  // pairs with: Unlock
    }
    LockSlow();
  }

  // Requires: this thread holds it (debug builds throw). Throws "unlock of unlocked lock".
  // Go: unlock2 (lock_futex.go).
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    HeldLocksRelease(this);
    // pairs with: Lock, LockSlow, TryLock
    uint32_t old = state_.exchange(kUnlocked, std::memory_order_release);
    if (GORT_UNLIKELY(old != kLocked)) UnlockSlow(old);
    UncountLock();
  }

  // Takes the lock if it is free; false: somebody holds it. Never waits, so that the order of locks
  // does not bind it.
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    CountLock();
    uint32_t free = kUnlocked;
    // pairs with: Unlock
    if (!state_.compare_exchange_strong(free, kLocked, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      UncountLock();
      return false;
    }
    HeldLocksTryAcquired(this, rank_);
    return true;
  }

  // Throws in debug builds unless this thread holds it. Go: assertLockHeld.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() { HeldLocksAssertHolds(this); }

  // For pthread_atfork handlers only: a package that must not leave a lock behind in the child
  // takes all it has, more of one rank and in number than held_locks.h would let pass, so these two
  // do not report there.
  void LockForFork() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    CountLock();
    uint32_t free = kUnlocked;
    if (!state_.compare_exchange_strong(free, kLocked, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      LockSlow();  // pairs with: Unlock
    }
  }
  void UnlockAfterFork() ABSL_UNLOCK_FUNCTION() {
    // pairs with: Lock, LockSlow
    uint32_t old = state_.exchange(kUnlocked, std::memory_order_release);
    if (old != kLocked) UnlockSlow(old);
    UncountLock();
  }

  // Somebody holds it; for assertions only.
  bool IsLocked() const { return state_.load(std::memory_order_relaxed) != kUnlocked; }

 private:
  friend class BriefMutex;
  enum : uint32_t { kUnlocked, kLocked, kSleeping };

  // Gets a P for a goroutine that has lost its own, because what follows may need one.
  static void RegainP();
  void LockSlow();
  void UnlockSlow(uint32_t old);

  std::atomic<uint32_t> state_{kUnlocked};
  const LockRank rank_;
};

// Holds *mu while it lives.
class ABSL_SCOPED_LOCKABLE LockGuard {
 public:
  explicit LockGuard(Mutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
  ~LockGuard() ABSL_UNLOCK_FUNCTION() { mu_->Unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Mutex* const mu_;
};

}  // namespace gort::rt

#endif  // GORT_LOCK_MUTEX_H_
