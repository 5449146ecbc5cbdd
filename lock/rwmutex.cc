#include "gort/lock/rwmutex.h"

#include "gort/base/throw.h"
#include "gort/platforms/futex.h"
#include "gort/platforms/pins.h"

namespace gort::rt {

void RWMutex::RLock() {
  CountLock();
  HeldLocksAcquire(&writers_, rank_);
  // pairs with: Unlock
  if (reader_count_.fetch_add(1, std::memory_order_acquire) >= 0) return;
  // A writer is inside or waiting. It has counted us, and leaves a pass for us; whose pass one
  // takes makes no difference.
  uint32_t n = passes_.load(std::memory_order_relaxed);
  while (true) {
    if (n == 0) {
      FutexSleep(&passes_, 0, -1);
      n = passes_.load(std::memory_order_relaxed);
    } else if (passes_.compare_exchange_weak(n, n - 1, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
      return;  // pairs with: Unlock
    }
  }
}

void RWMutex::RUnlock() {
  HeldLocksRelease(&writers_);
  // pairs with: Lock
  const int32_t before = reader_count_.fetch_sub(1, std::memory_order_release);
  UncountLock();
  if (before > 0) return;
  if (before == 0 || before == -kMaxReaders) Throw("runlock of unlocked rwmutex");
  // A writer waits; the last reader of those that it found inside wakes it. acq_rel: the last one
  // passes on what the others did. pairs with: itself, Lock
  if (reader_wait_.fetch_sub(1, std::memory_order_acq_rel) == 1) readers_gone_.Wakeup();
}

void RWMutex::Lock() {
  writers_.Lock();
  // From here on readers wait. pairs with: RUnlock
  const int32_t inside = reader_count_.fetch_sub(kMaxReaders, std::memory_order_acquire);
  // Some of them may have left since, and taken reader_wait below zero. Exactly one of this
  // addition and their subtractions gives zero. pairs with: RUnlock
  if (inside != 0 && reader_wait_.fetch_add(inside, std::memory_order_acquire) + inside != 0) {
    readers_gone_.Sleep();
    readers_gone_.Clear();
  }
}

void RWMutex::Unlock() {
  // pairs with: RLock
  const int32_t waiting =
      reader_count_.fetch_add(kMaxReaders, std::memory_order_release) + kMaxReaders;
  if (waiting >= kMaxReaders) Throw("unlock of unlocked rwmutex");
  if (waiting > 0) {
    // pairs with: RLock
    passes_.fetch_add(static_cast<uint32_t>(waiting), std::memory_order_release);
    FutexWake(&passes_, waiting);
  }
  writers_.Unlock();
}

}  // namespace gort::rt
