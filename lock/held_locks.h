// lock/held_locks.h: which runtime locks this thread holds, checked against the lock order.
// What      in debug builds every lock of this package reports here; an order that lock_rank.txt
//           does not allow is fatal, with both names, whether or not it would have deadlocked this
//           time. In other builds all of it compiles to nothing.
// Layer     3.                                  Go: lockrank_on.go, m.locks, m.locksHeld
// Invariant the record is the thread's: the thread that took a lock releases it. A goroutine may
//           take a lock and leave the release to the next context of the same thread (parking does
//           that), but must not have moved to another thread meanwhile. A thread holds at most
//           kMaxHeldLocks locks; of channels' locks beyond half of that only the number is kept.
// Context   as for the locks: any stack but that of a signal handler.
#ifndef GORT_LOCK_HELD_LOCKS_H_
#define GORT_LOCK_HELD_LOCKS_H_

#include "gort/base/attributes.h"
#include "gort/lock/lock_rank.gen.h"

namespace gort::rt {

inline constexpr int kMaxHeldLocks = 16;

// The functions below without their test for a debug build. For them and for tests.
void HeldLocksAcquireSlow(const void* lock, LockRank rank);
void HeldLocksTryAcquiredSlow(const void* lock, LockRank rank);
void HeldLocksReleaseSlow(const void* lock);
bool HeldLocksHoldsSlow(const void* lock);
int HeldLocksCountSlow();

// Records that `lock` is about to be taken. Throws "lock ordering problem" when a lock that is held
// forbids it; of one rank that may nest in itself, the higher address comes second. Throws for a
// lock that this thread holds, and for one lock too many. Go: lockWithRank.
inline void HeldLocksAcquire(const void* lock, LockRank rank) {
  if constexpr (kDebug) HeldLocksAcquireSlow(lock, rank);
}
// Records that `lock` was taken without waiting for it. No order forbids that, because a thread
// that does not wait is no part of a deadlock. Locks that are taken later are checked against it.
inline void HeldLocksTryAcquired(const void* lock, LockRank rank) {
  if constexpr (kDebug) HeldLocksTryAcquiredSlow(lock, rank);
}
// Records that `lock` is about to be released. Throws when this thread does not hold it.
// Go: unlockWithRank.
inline void HeldLocksRelease(const void* lock) {
  if constexpr (kDebug) HeldLocksReleaseSlow(lock);
}
// Throws in debug builds unless this thread holds `lock`. Go: assertLockHeld.
void HeldLocksAssertHolds(const void* lock);
// Runtime locks that this thread holds; always 0 outside of debug builds.
inline int HeldLocksCount() {
  if constexpr (kDebug) return HeldLocksCountSlow();
  return 0;
}

}  // namespace gort::rt

#endif  // GORT_LOCK_HELD_LOCKS_H_
