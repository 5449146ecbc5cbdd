// lock/mutex.h: the runtime's own lock; it blocks the M (the OS thread), not the goroutine.
// What      a three-state futex lock with a short spin (Drepper, "Futexes Are Tricky"; Go's
//           lock_futex.go), for critical sections of tens of instructions in the runtime.
// Layer     3.
// Contract  | call    | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | Lock    |   x    | x  |  x   |    -    |    x    | the M |     -     |
//           | Unlock  |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           A goroutine must not be switched away while it holds one.
#ifndef GORT_LOCK_MUTEX_H_
#define GORT_LOCK_MUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "base/attributes.h"
#include "lock/held_locks.h"
#include "lock/lock_rank.gen.h"

namespace gort::rt {

class ABSL_LOCKABLE Mutex {
 public:
  constexpr explicit Mutex(LockRank rank = LockRank::kNone) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    HeldLocksAcquire(this, rank_);
    uint32_t free = kUnlocked;
    if (GORT_LIKELY(state_.compare_exchange_strong(free, kLocked, std::memory_order_acquire,
                                                   std::memory_order_relaxed))) {
      return;  // pairs with: Unlock
    }
    LockSlow();
  }

  void Unlock() ABSL_UNLOCK_FUNCTION() {
    HeldLocksRelease(this);
    // pairs with: Lock, LockSlow
    if (GORT_UNLIKELY(state_.exchange(kUnlocked, std::memory_order_release) == kSleeping)) Wake();
  }

  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    uint32_t free = kUnlocked;
    if (!state_.compare_exchange_strong(free, kLocked, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      return false;
    }
    HeldLocksAcquire(this, rank_);
    return true;
  }

  // For pthread_atfork handlers only: a package that must not leave a lock behind in the child takes
  // all it has, more of one rank and in number than held_locks.h would let pass, so these two do
  // not report there.
  void LockForFork() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    uint32_t free = kUnlocked;
    if (!state_.compare_exchange_strong(free, kLocked, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      LockSlow();  // pairs with: Unlock
    }
  }
  void UnlockAfterFork() ABSL_UNLOCK_FUNCTION() {
    // pairs with: Lock, LockSlow
    if (state_.exchange(kUnlocked, std::memory_order_release) == kSleeping) Wake();
  }

  // Somebody holds it; for assertions only.
  bool IsLocked() const { return state_.load(std::memory_order_relaxed) != kUnlocked; }

 private:
  enum : uint32_t { kUnlocked, kLocked, kSleeping };

  void LockSlow();
  void Wake();

  std::atomic<uint32_t> state_{kUnlocked};
  const LockRank rank_;
};

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
