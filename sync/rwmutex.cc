#include "gort/sync/rwmutex.h"

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/sync/internal/sema.h"

// A writer announces itself by taking kMaxReaders off the count of readers: from then on readers
// see a negative count and wait. What the count was tells how many readers must leave first; each
// of them takes one off departing_, and the one that takes the last wakes the writer. departing_
// may go below zero for a moment, when readers leave before the writer has added their number.
//
// The orders are all sequentially consistent: the two counters form one protocol.

namespace gort {
namespace {

constexpr int32_t kMaxReaders = 1 << 30;

}  // namespace

GORT_NOINLINE void RWMutex::RLockSlow() {
  rt::SemAcquire(&reader_sem_, /*lifo=*/false, rt::WaitReason::kSyncRWMutexRLock);
}

bool RWMutex::TryRLock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.RWMutex is copied");
  int32_t n = readers_.load();
  while (n >= 0) {
    if (readers_.compare_exchange_weak(n, n + 1)) return true;
  }
  return false;
}

GORT_NOINLINE void RWMutex::RUnlockSlow(int32_t n) {
  if (n == 0 || n == -kMaxReaders) rt::Fatal("sync: RUnlock of unlocked RWMutex");
  // The writer waits for the readers, so the object stays until the last of them has woken it.
  if (departing_.fetch_sub(1) == 1) rt::SemRelease(&writer_sem_, /*handoff=*/false);
}

void RWMutex::Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.RWMutex is copied");
  writers_.LockFor(rt::WaitReason::kSyncRWMutexLock);
  const int32_t active = readers_.fetch_sub(kMaxReaders);
  if (active != 0 && departing_.fetch_add(active) + active != 0) {
    rt::SemAcquire(&writer_sem_, /*lifo=*/false, rt::WaitReason::kSyncRWMutexLock);
  }
}

bool RWMutex::TryLock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.RWMutex is copied");
  if (!writers_.TryLock()) return false;
  int32_t none = 0;
  if (readers_.compare_exchange_strong(none, -kMaxReaders)) return true;
  writers_.Unlock();
  return false;
}

void RWMutex::Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.RWMutex is copied");
  const int32_t waiting = readers_.fetch_add(kMaxReaders) + kMaxReaders;
  if (waiting >= kMaxReaders) rt::Fatal("sync: Unlock of unlocked RWMutex");
  for (int32_t i = 0; i < waiting; ++i) rt::SemRelease(&reader_sem_, /*handoff=*/false);
  writers_.Unlock();
}

}  // namespace gort
