// lock/rwmutex.h: many readers or one writer; it blocks the M (the OS thread), not the goroutine.
// What      for what is read on many threads, rarely written, and held across longer steps than a
//           Mutex should be (in Go: fork and thread creation; nothing of gort uses it yet).
// Layer     3.                              Go: rwmutex (rwmutex.go); differs: no list of Ms, the
//           readers that a writer keeps waiting are a number, and sleep on a word of their own.
// Fairness  a waiting writer keeps new readers out. The readers that waited for one writer enter
//           before the next writer. Neither side starves.
// Invariant reader_count = readers inside or waiting, minus kMaxReaders while a writer is inside or
//           waiting for readers to leave. reader_wait = readers that the writer still waits for.
// Ordering  as for Mutex, between writers, and between a writer and the readers before and after.
// Contract  | call             | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | RLock, Lock      |   x    | x  |  x   |    -    |    x    | the M |     -     |
//           | RUnlock, Unlock  |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           Not recursive, not for readers either: a writer that arrives between the two RLocks of
//           one thread would wait for the first and block the second.
#ifndef GORT_LOCK_RWMUTEX_H_
#define GORT_LOCK_RWMUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/lock/held_locks.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/lock/note.h"

namespace gort::rt {

class ABSL_LOCKABLE RWMutex {
 public:
  // rank: of readers and writers alike.
  constexpr explicit RWMutex(LockRank rank = LockRank::kNone) : writers_(rank), rank_(rank) {}
  RWMutex(const RWMutex&) = delete;
  RWMutex& operator=(const RWMutex&) = delete;

  // (Lock and Unlock are not analysed inside: they take and release writers_ in different
  // functions.)

  // Waits until no writer is inside or waiting, and enters as a reader. Go: rwmutex.rlock.
  void RLock() ABSL_SHARED_LOCK_FUNCTION();
  // Leaves. Throws "runlock of unlocked rwmutex". Go: rwmutex.runlock.
  void RUnlock() ABSL_UNLOCK_FUNCTION();
  // Waits for writers before and readers inside, and enters alone. Go: rwmutex.lock.
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS;
  // Leaves, and lets the readers that waited in. Throws "unlock of unlocked rwmutex".
  // Go: rwmutex.unlock.
  void Unlock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS;

 private:
  static constexpr int32_t kMaxReaders = 1 << 30;

  Mutex writers_;      // held by the writer; its address names the lock in the record of held locks
  Note readers_gone_;  // wakes the writer; cleared under writers_
  std::atomic<int32_t> reader_count_{0};
  std::atomic<int32_t> reader_wait_{0};
  std::atomic<uint32_t> passes_{0};  // readers that may go in and have not noticed yet
  const LockRank rank_;
};

}  // namespace gort::rt

#endif  // GORT_LOCK_RWMUTEX_H_
