// lock/held_locks.h: which runtime locks this thread holds, checked against the lock order.
// What      in debug builds every Mutex reports here; a wrong order or a lock held where none may
// be
//           is fatal with both names. In other builds all of it compiles to nothing.
// Layer     3. The record is thread-local; a runtime lock is never held over a switch of stacks.
// Go        lockrank_on.go, m.locks.
#ifndef GORT_LOCK_HELD_LOCKS_H_
#define GORT_LOCK_HELD_LOCKS_H_

#include "base/attributes.h"
#include "lock/lock_rank.gen.h"

namespace gort::rt {

void HeldLocksAcquireSlow(const void* lock, LockRank rank);
void HeldLocksReleaseSlow(const void* lock);
int HeldLocksCountSlow();

// Records that `lock` is about to be taken. Fatal when the order forbids it.
inline void HeldLocksAcquire(const void* lock, LockRank rank) {
  if constexpr (kDebug) HeldLocksAcquireSlow(lock, rank);
}
inline void HeldLocksRelease(const void* lock) {
  if constexpr (kDebug) HeldLocksReleaseSlow(lock);
}
// Runtime locks that this thread holds; always 0 outside of debug builds.
inline int HeldLocksCount() {
  if constexpr (kDebug) return HeldLocksCountSlow();
  return 0;
}

}  // namespace gort::rt

#endif  // GORT_LOCK_HELD_LOCKS_H_
