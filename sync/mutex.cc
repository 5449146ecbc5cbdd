#include "gort/sync/mutex.h"

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/sync/internal/sema.h"
#include "gort/sync/internal/spin.h"

// Where this differs from Go: Unlock clears the lock and books the waiter out in one step, whereas
// Go clears it first and then looks at the state again. A C++ mutex may be gone by then: the lock
// is free after the first step, and its next owner may destroy it. Here an Unlock touches the
// object after that step if it owes a waiter its semaphore unit, and not otherwise; that waiter
// cannot return without the unit, and so keeps the object. And a lock that is handed over stays
// locked on its way, so that to take a free one is one instruction, which looks at nothing else.

namespace gort {
namespace {

constexpr int64_t kStarvationNs = 1'000'000;

}  // namespace

GORT_NOINLINE void Mutex::LockSlow(rt::WaitReason reason) {
  int64_t waiting_since = 0;  // 0: has not slept yet
  bool starving = false;
  bool awake = false;  // this goroutine is the one that kWoken stands for
  int spins = 0;
  uint32_t s = state_.load(std::memory_order_relaxed);  // every use is confirmed by a CAS
  while (true) {
    const bool busy = (s & kLocked) != 0;
    if (busy && (s & kStarving) == 0 && rt::CanSpin(spins)) {
      // Says that a waiter is awake, so that Unlock wakes no other. Relaxed: kWoken guards no data.
      if (!awake && (s & kWoken) == 0 && s >= kOneWaiter) {
        awake = state_.compare_exchange_strong(s, s | kWoken, std::memory_order_relaxed);
      }
      rt::DoSpin();
      ++spins;
      s = state_.load(std::memory_order_relaxed);
      continue;
    }
    uint32_t wanted = busy ? s + kOneWaiter : s | kLocked;
    if (starving && (s & kLocked) != 0) wanted |= kStarving;
    if (awake) wanted &= ~kWoken;
    // pairs with: Unlock, TryUnlockBesideWoken, UnlockSlow
    if (!state_.compare_exchange_weak(s, wanted, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
      continue;
    }
    if (!busy) return;

    // A goroutine that has waited before goes to the head of the queue.
    const bool again = waiting_since != 0;
    if (!again) waiting_since = rt::Nanotime();
    rt::SemAcquire(&sema_, /*lifo=*/again, reason);
    starving = starving || rt::Nanotime() - waiting_since > kStarvationNs;
    s = state_.load(std::memory_order_relaxed);
    // The waiter that set kStarving cannot have been served before this one, so this wake-up is a
    // hand-over.
    if ((s & kStarving) != 0) return TakeHandedOver(starving);
    awake = true;
    spins = 0;
  }
}

// In starvation mode the lock is this waiter's: it has stayed locked.
void Mutex::TakeHandedOver(bool starving) {
  uint32_t s = state_.load(std::memory_order_relaxed);
  constexpr uint32_t kFlags = kLocked | kWoken | kStarving | kHandedOver;
  if ((s & kFlags) != (kLocked | kStarving | kHandedOver) || s < kOneWaiter) {
    rt::Throw("sync: inconsistent mutex state");
  }
  uint32_t change = kHandedOver + kOneWaiter;
  if (!starving || s / kOneWaiter == 1) change += kStarving;
  state_.fetch_sub(change, std::memory_order_acquire);  // pairs with: UnlockSlow
}

bool Mutex::TryLock() {
  copied_.Use("sync.Mutex is copied");
  uint32_t s = state_.load(std::memory_order_relaxed);
  while ((s & kLocked) == 0) {
    // pairs with: Unlock, TryUnlockBesideWoken, UnlockSlow
    if (state_.compare_exchange_weak(s, s | kLocked, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

GORT_NOINLINE void Mutex::UnlockSlow(uint32_t s) {
  while (true) {
    if ((s & kLocked) == 0 || (s & kHandedOver) != 0) {
      rt::Fatal("sync: unlock of unlocked mutex");
    }
    const bool hand_over = (s & kStarving) != 0;
    const bool wake = !hand_over && s >= kOneWaiter && (s & kWoken) == 0;
    uint32_t wanted = hand_over ? s | kHandedOver : s - kLocked;
    if (wake) wanted = (wanted - kOneWaiter) | kWoken;
    // pairs with: LockFor, LockSlow, TakeHandedOver, TryLock
    if (!state_.compare_exchange_weak(s, wanted, std::memory_order_release,
                                      std::memory_order_relaxed)) {
      continue;
    }
    if (!hand_over && !wake) return;
    rt::SemRelease(&sema_, hand_over);
    // A goroutine that locks and unlocks in a loop gives way here, so that the waiter can run at
    // last. It stays on its thread: who calls Unlock does not expect to be moved.
    rt::PreemptCheckInPlace();
    return;
  }
}

}  // namespace gort
