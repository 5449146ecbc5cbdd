// lock/brief_mutex.h: a runtime lock that is released by a plain store.
// What      as rt::Mutex, for sections so brief, and so often entered, that the lock is most of what
//           they cost and that a thread hardly ever sleeps on it: one locked instruction to take it,
//           none to release it. A thread that does sleep pays for both sides, with a barrier on all
//           threads.
// Sleeping  a thread spins for longer than any section lasts whose owner runs. Then it marks a word,
//           has every thread execute a barrier, and looks at the state; Unlock stores the state,
//           then looks at the word. One of them sees the other. Who finds the mark takes it away and
//           wakes all that sleep at the word; so a sleeper costs one Unlock a call of the kernel.
//           Where the system has no such barrier the sleeper sleeps a millisecond at a time.
//           The words stand in a table by the address of the lock, because the lock may be gone
//           after the store: whoever takes it next may free it. Two locks that share a word wake
//           each other's sleepers for nothing.
// Ordering, counting and lifetime: as lock/mutex.h.
// Layer     3.
// Contract  | call   | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | Lock   |   x    | x  |  x   |    -    |    x    | the M |     -     |
//           | Unlock |   x    | x  |  x   |    -    |    x    |   -   |     -     |
// Model     tests/model/brief_mutex.pml
#ifndef GORT_LOCK_BRIEF_MUTEX_H_
#define GORT_LOCK_BRIEF_MUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/lock/held_locks.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/pins.h"

namespace gort::rt {

class ABSL_LOCKABLE BriefMutex {
 public:
  // rank: its place in lock_rank.txt, which debug builds hold it to.
  constexpr explicit BriefMutex(LockRank rank = LockRank::kNone) : rank_(rank) {}
  BriefMutex(const BriefMutex&) = delete;
  BriefMutex& operator=(const BriefMutex&) = delete;

  // Waits until the lock is free and takes it. Not recursive: debug builds throw, others deadlock.
  GORT_ALWAYS_INLINE void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    CountLock();
    if (GORT_UNLIKELY(PLost())) Mutex::RegainP();
    HeldLocksAcquire(this, rank_);
    if (GORT_UNLIKELY(!Take())) LockSlow();
  }

  // Requires: this thread holds it (debug builds throw). Throws "unlock of unlocked lock".
  GORT_ALWAYS_INLINE void Unlock() ABSL_UNLOCK_FUNCTION() {
    HeldLocksRelease(this);
    if (GORT_UNLIKELY(!IsLocked())) UnlockOfUnlocked();
    std::atomic<uint32_t>* word = Word();
    state_.store(kUnlocked, std::memory_order_release);  // pairs with: Take
    // Not before the store, in the order of the instructions; the sleeper's barrier does the rest.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    // pairs with: Sleep
    if (GORT_UNLIKELY((word->load(std::memory_order_relaxed) & kMark) != 0)) Wake(word);
    UncountLock();
  }

  // Somebody holds it; for assertions only.
  bool IsLocked() const { return state_.load(std::memory_order_relaxed) != kUnlocked; }

 private:
  enum : uint32_t { kUnlocked, kLocked };
  static constexpr uintptr_t kWords = 64;
  // The lowest bit of a word of the table; above it is how often it was taken away.
  static constexpr uint32_t kMark = 1;

  GORT_ALWAYS_INLINE bool Take() {
    uint32_t free = kUnlocked;
    return state_.compare_exchange_strong(free, kLocked, std::memory_order_acquire,
                                          std::memory_order_relaxed);  // pairs with: Unlock
  }
  // Where the threads sleep that wait for this lock, or for another of the same hash.
  std::atomic<uint32_t>* Word() const {
    return &words_[reinterpret_cast<uintptr_t>(this) / kCacheLine % kWords];
  }
  bool Spin();
  void LockSlow();
  bool Sleep();
  // The lock may be gone.
  static void Wake(std::atomic<uint32_t>* word);
  [[noreturn]] static void UnlockOfUnlocked();

  static std::atomic<uint32_t> words_[kWords];

  std::atomic<uint32_t> state_{kUnlocked};
  const LockRank rank_;
};

// Holds *mu while it lives.
class ABSL_SCOPED_LOCKABLE BriefGuard {
 public:
  explicit BriefGuard(BriefMutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
  ~BriefGuard() ABSL_UNLOCK_FUNCTION() { mu_->Unlock(); }
  BriefGuard(const BriefGuard&) = delete;
  BriefGuard& operator=(const BriefGuard&) = delete;

 private:
  BriefMutex* const mu_;
};

}  // namespace gort::rt

#endif  // GORT_LOCK_BRIEF_MUTEX_H_
