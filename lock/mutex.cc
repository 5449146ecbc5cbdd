#include "gort/lock/mutex.h"

#include "gort/base/throw.h"
#include "gort/platforms/cpu.h"
#include "gort/platforms/futex.h"
#include "gort/platforms/thread.h"

namespace gort::rt {
namespace {

// Go's figures: four rounds of 30 pauses, then one yield, then sleep.
constexpr int kActiveSpins = 4;
constexpr int kActiveSpinCycles = 30;

}  // namespace

GORT_NOINLINE void Mutex::RegainP() {
  // Pinned, or with a lock in hand, the goroutine does not need its P.
  if (Pins() != 0 || LocksCounted() != 1) return;
  UncountLock();
  PinWithP();
  CountLock();
  Unpin();
}

GORT_NOINLINE void Mutex::LockSlow() {
  uint32_t wanted = kLocked;
  while (true) {
    for (int i = 0; i <= kActiveSpins; ++i) {
      uint32_t free = kUnlocked;
      // The load keeps the cache line shared while somebody else holds the lock.
      if (state_.load(std::memory_order_relaxed) == kUnlocked &&
          state_.compare_exchange_strong(free, wanted, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
        return;  // pairs with: Unlock
      }
      if (i < kActiveSpins) {
        ProcYield(kActiveSpinCycles);
      } else {
        ThreadYield();
      }
    }
    // Announces a sleeper, and takes the lock if it was free after all. pairs with: Unlock
    if (state_.exchange(kSleeping, std::memory_order_acquire) == kUnlocked) return;
    wanted = kSleeping;  // see the invariant
    FutexSleep(&state_, kSleeping, -1);
  }
}

GORT_NOINLINE void Mutex::UnlockSlow(uint32_t old) {
  if (old == kUnlocked) Throw("unlock of unlocked lock");
  FutexWake(&state_, 1);
}

}  // namespace gort::rt
