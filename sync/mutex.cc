#include "gort/sync/mutex.h"

#include <utility>

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/context/context.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/sync/internal/sem_watch.h"
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
  rt::SemWait wait;
  LockOr(reason, &wait);
}

absl::Status Mutex::Lock(const Context& ctx) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.Mutex is copied");
  if (absl::Status err = ctx.Err(); !err.ok()) return err;
  // pairs with: Unlock, TryUnlockBesideWoken, UnlockSlow
  if ((state_.fetch_or(kLocked, std::memory_order_acquire) & kLocked) == 0) return absl::OkStatus();
  rt::SemWatch watch(&sema_);
  if (!watch.Begin(ctx)) return ctx.Err();
  const bool locked = LockOr(rt::WaitReason::kSyncMutexLock, &watch.waiter);
  watch.End();
  return locked ? absl::OkStatus() : ctx.Err();
}

bool Mutex::LockOr(rt::WaitReason reason, rt::SemWait* wait) {
  int64_t waiting_since = 0;  // 0: has not slept yet
  int64_t counted_until = 0;  // of the waiting
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
    if (!busy) return true;

    // A goroutine that has waited before goes to the head of the queue.
    const bool again = waiting_since != 0;
    if (!again) counted_until = waiting_since = rt::Nanotime();
    const bool served = rt::SemAcquireOr(&sema_, /*lifo=*/again, reason, wait);
    const int64_t now = rt::Nanotime();
    rt::CountMutexWait(now - std::exchange(counted_until, now));
    if (!served) return GiveUp();
    starving = starving || now - waiting_since > kStarvationNs;
    s = state_.load(std::memory_order_relaxed);
    // The waiter that set kStarving cannot have been served before this one, so this wake-up is a
    // hand-over.
    if ((s & kStarving) != 0) {
      TakeHandedOver(starving);
      return true;
    }
    awake = true;
    spins = 0;
  }
}

// Of a waiter that sleeps no more, but is counted still. True: the lock came at the same moment.
bool Mutex::GiveUp() {
  while (true) {
    uint32_t s = state_.load(std::memory_order_relaxed);  // every use is confirmed by a CAS
    const uint32_t served = (s & kHandedOver) != 0 ? 1 : 0;
    if (s / kOneWaiter > served) {
      uint32_t wanted = s - kOneWaiter;
      if (wanted < kOneWaiter) wanted &= ~kStarving;  // to hand over needs somebody who takes
      if (state_.compare_exchange_weak(s, wanted, std::memory_order_relaxed)) return false;
      continue;
    }
    // An Unlock has chosen the only waiter that there was. It counts on that one to keep this object
    // until it has added the unit, which it is about to do.
    if (rt::SemTryAcquire(&sema_)) return TakeOrPassOn();
    rt::Gosched();
  }
}

// For a waiter that was chosen, and has its unit, but whose context has ended. True: it has the
// lock.
bool Mutex::TakeOrPassOn() {
  uint32_t s = state_.load(std::memory_order_relaxed);  // every use is confirmed by a CAS
  if ((s & kStarving) != 0) {
    TakeHandedOver(/*starving=*/false);
    return true;
  }
  while (true) {
    const bool busy = (s & kLocked) != 0;
    const uint32_t wanted = (s | kLocked) & ~kWoken;
    // pairs with: Unlock, TryUnlockBesideWoken, UnlockSlow
    if (state_.compare_exchange_weak(s, wanted, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return !busy;  // busy: its owner's Unlock finds nobody awake, and wakes the next
    }
  }
}

// In starvation mode the lock is this waiter's: it has stayed locked.
void Mutex::TakeHandedOver(bool starving) {
  uint32_t s = state_.load(std::memory_order_relaxed);  // every use is confirmed by a CAS
  constexpr uint32_t kFlags = kLocked | kWoken | kStarving | kHandedOver;
  uint32_t change;
  do {
    if ((s & kFlags) != (kLocked | kStarving | kHandedOver) || s < kOneWaiter) {
      rt::Throw("sync: inconsistent mutex state");
    }
    change = kHandedOver + kOneWaiter;
    // A waiter that gives up meanwhile may leave this one as the last: hence the CAS.
    if (!starving || s / kOneWaiter == 1) change += kStarving;
    // pairs with: UnlockSlow
  } while (!state_.compare_exchange_weak(s, s - change, std::memory_order_acquire,
                                         std::memory_order_relaxed));
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
