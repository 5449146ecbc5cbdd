// gort/sync/rwmutex.h: many readers or one writer.
// What      gort::RWMutex. A writer that waits keeps new readers out, and when it is done the
//           readers that came meanwhile go before the next writer: neither side starves.
// Layer     10.                                        Go: sync.RWMutex
// Use       Not recursive: a second RLock by one goroutine deadlocks when a writer came between.
//           Also lock/unlock/try_lock and lock_shared/unlock_shared/try_lock_shared, for
//           std::shared_lock and its kin. Destroy it only when all calls have returned.
// Contract  | call              | goroutine | other thread | parks | allocates |
//           | Lock, RLock       |     x     | blocks it    |   x   |     -     |
//           | TryLock, TryRLock |     x     |      x       |   -   |     -     |
//           | Unlock, RUnlock   |     x     |      x       |   -   |     -     |
#ifndef GORT_SYNC_RWMUTEX_H_
#define GORT_SYNC_RWMUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "gort/base/attributes.h"
#include "gort/sync/internal/copy_check.h"
#include "gort/sync/mutex.h"

namespace gort {

class Context;

class ABSL_LOCKABLE RWMutex {
 public:
  constexpr RWMutex() = default;
  RWMutex(const RWMutex&) = delete;
  RWMutex& operator=(const RWMutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  // Waits until ctx is cancelled at most. Ok: locked, also when ctx was cancelled at the same moment.
  // Otherwise ctx.Err(), and not locked; also when ctx was cancelled before the call. Readers that a
  // writer kept out, and that has given up, go on at once.
  absl::Status Lock(const Context& ctx);
  absl::Status RLock(const Context& ctx);
  // Tell the compiler's check of annotations that it is locked, after the two above have said so.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() {}
  void AssertReaderHeld() const ABSL_ASSERT_SHARED_LOCK() {}
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true);
  // Fatal when no writer has it or waits for it: "sync: Unlock of unlocked RWMutex".
  void Unlock() ABSL_UNLOCK_FUNCTION();

  void RLock() ABSL_SHARED_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    copied_.Use("sync.RWMutex is copied");
    if (GORT_UNLIKELY(Count(state_.fetch_add(kOneReader)) < 0)) RLockSlow();
  }
  bool TryRLock() ABSL_SHARED_TRYLOCK_FUNCTION(true);
  // Fatal when no reader has it or waits for it: "sync: RUnlock of unlocked RWMutex".
  void RUnlock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    copied_.Use("sync.RWMutex is copied");
    const int32_t n = Count(state_.fetch_add(kOneDeparture - kOneReader));
    if (GORT_UNLIKELY(n <= 0)) RUnlockSlow(n);
  }

  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { Lock(); }
  bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return TryLock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { Unlock(); }
  void lock_shared() ABSL_SHARED_LOCK_FUNCTION() { RLock(); }
  bool try_lock_shared() ABSL_SHARED_TRYLOCK_FUNCTION(true) { return TryRLock(); }
  void unlock_shared() ABSL_UNLOCK_FUNCTION() { RUnlock(); }

 private:
  // state_: in its lower half, as a signed number, the readers, active and waiting, less kMaxReaders
  // while a writer is in; in the upper half how many have left, modulo 2^32, readers and writers.
  static constexpr uint64_t kOneReader = 1;
  static constexpr uint64_t kOneDeparture = uint64_t{1} << 32;
  static constexpr int32_t Count(uint64_t state) { return static_cast<int32_t>(state); }
  static uint32_t Departures(uint64_t state);

  // With a writer, or none to unlock; n: what the count was.
  void RLockSlow();
  void RUnlockSlow(int32_t n);
  bool GiveUpReading();
  bool GiveUpWriting(uint64_t announced);
  void LetIn(int32_t readers);

  Mutex writers_;  // held by the writer, from the beginning of Lock to the end of Unlock
  std::atomic<uint32_t> writer_sem_{0};
  std::atomic<uint32_t> reader_sem_{0};
  std::atomic<uint64_t> state_{0};
  std::atomic<int32_t> departing_{0};  // active readers that the writer waits for
  [[no_unique_address]] rt::CopyCheck copied_;
};

}  // namespace gort

#endif  // GORT_SYNC_RWMUTEX_H_
