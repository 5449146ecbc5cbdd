#include "gort/sync/wait_group.h"

#include <utility>

#include "gort/base/attributes.h"
#include "gort/base/panic.h"
#include "gort/context/context.h"
#include "gort/context/internal/watch.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/wait_reason.h"
#include "gort/proc/proc.h"

// The counter and the flag "somebody waits" are one word, so the Add that takes the counter to 0
// knows in that very step whether there are waiters. If there are none, that Add does not touch the
// object again. If there are, they, and with them the object, stay until the Add has taken their
// list and released the lock. Go's counterpart releases a semaphore once per waiter and looks at
// the object in between.
//
// A waiter that gives up leaves the list only while the counter is not 0: from then on the Add that
// took it there is on its way to the list, and the waiter stays for it. The last to leave takes the
// flag along, in a step that sees the counter.

namespace gort {

// A call that waits, in its frame: it stays until WakeAll has readied it, or until it has given up.
struct WaitGroup::Waiter : rt::ListNode<Waiter> {
  enum State : uint8_t { kNew, kListed, kServed, kGivenUp };

  rt::G* gp = nullptr;
  State state = kNew;         // guarded by the group's lock
  std::exception_ptr thrown;  // of the round; if kServed
};

void WaitGroup::Add(int64_t delta) {
  copied_.Use("sync.WaitGroup is copied");
  // acquire/release pairs with: itself (all Adds happen before the wake-up) and Wait.
  const int64_t old = state_.fetch_add(delta * kOne, std::memory_order_acq_rel);
  const int64_t now = old + delta * kOne;
  if (GORT_UNLIKELY(now < 0)) throw Panic("sync: negative WaitGroup counter");
  if (GORT_UNLIKELY(delta > 0 && old < kOne && (old & kWaiters) != 0)) {
    throw Panic("sync: WaitGroup misuse: Add called concurrently with Wait");
  }
  if (delta < 0 && now < kOne && (now & kWaiters) != 0) WakeAll();
}

GORT_NOINLINE void WaitGroup::WakeAll() {
  rt::GQueue woken;
  std::exception_ptr thrown;
  {
    rt::LockGuard guard(&lock_);
    thrown = thrown_.Take();
    state_.fetch_and(~(kWaiters | kFailed), std::memory_order_acq_rel);  // pairs with: Add, Wait
    while (Waiter* w = waiters_.PopFront()) {
      w->state = Waiter::kServed;
      w->thrown = thrown;
      woken.PushBack(w->gp);
    }
  }
  while (rt::G* gp = woken.Pop()) rt::GoReady(gp);
}

void WaitGroup::Fail(std::exception_ptr e) {
  rt::LockGuard guard(&lock_);
  thrown_.Put(&e);
  state_.fetch_or(kFailed, std::memory_order_acq_rel);  // pairs with: Wait
}

GORT_NOINLINE void WaitGroup::Rethrow() {
  std::exception_ptr thrown;
  {
    rt::LockGuard guard(&lock_);
    const int64_t s = state_.load(std::memory_order_relaxed);  // both flags are guarded by the lock
    // The counter may stand at 1 again: what was thrown since is of another round.
    if (s >= kOne) return;
    if ((s & kWaiters) != 0) {
      thrown = thrown_.Get();  // WakeAll, which is on its way, takes it to those who wait
    } else {
      thrown = thrown_.Take();
      state_.fetch_and(~kFailed, std::memory_order_acq_rel);  // pairs with: Add, Wait
    }
  }
  if (thrown != nullptr) std::rethrow_exception(std::move(thrown));
}

bool WaitGroup::Park(Waiter* w) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  rt::G* gp = rt::CurrentG();
  lock_.Lock();
  int64_t s = state_.load(std::memory_order_acquire);  // pairs with: Add
  // The last Add comes for the list if it finds the flag set, and it waits for this lock then.
  while (w->state == Waiter::kNew && s >= kOne && (s & kWaiters) == 0 &&
         !state_.compare_exchange_weak(s, s | kWaiters, std::memory_order_acquire)) {
  }
  if (w->state != Waiter::kNew || s < kOne) {
    lock_.Unlock();
    return false;
  }
  w->gp = gp;
  waiters_.PushBack(w);
  w->state = Waiter::kListed;
  rt::GoParkUnlock(&lock_, rt::WaitReason::kSyncWaitGroupWait);
  return true;
}

rt::G* WaitGroup::GiveUp(Waiter* w) {
  rt::LockGuard guard(&lock_);
  if (w->state == Waiter::kNew) w->state = Waiter::kGivenUp;
  if (w->state != Waiter::kListed) return nullptr;
  const bool alone = waiters_.front() == waiters_.back();
  int64_t s = state_.load(std::memory_order_relaxed);  // the CAS confirms it
  while (s >= kOne && alone &&
         !state_.compare_exchange_weak(s, s & ~kWaiters, std::memory_order_acq_rel)) {
  }
  if (s < kOne) return nullptr;  // WakeAll is about to take the list
  waiters_.Remove(w);
  w->state = Waiter::kGivenUp;
  return w->gp;
}

void WaitGroup::Wait() {
  copied_.Use("sync.WaitGroup is copied");
  int64_t s = state_.load(std::memory_order_acquire);  // pairs with: Add
  if (s >= kOne) {
    Waiter w;
    if (Park(&w)) {
      if (GORT_UNLIKELY(w.thrown != nullptr)) std::rethrow_exception(std::move(w.thrown));
      return;
    }
    s = state_.load(std::memory_order_acquire);  // pairs with: Fail
  }
  if (GORT_UNLIKELY((s & kFailed) != 0)) Rethrow();
}

absl::Status WaitGroup::Wait(const Context& ctx) {
  copied_.Use("sync.WaitGroup is copied");
  int64_t s = state_.load(std::memory_order_acquire);  // pairs with: Add
  if (s >= kOne) {
    rt::WaitWatch<WaitGroup, Waiter, &WaitGroup::GiveUp> watch(this);
    const bool watching = watch.Begin(ctx);
    if (watching) {
      Park(&watch.waiter);
      watch.End();
    }
    if (watch.waiter.thrown != nullptr) std::rethrow_exception(std::move(watch.waiter.thrown));
    if (watch.waiter.state == Waiter::kServed) return absl::OkStatus();
    s = state_.load(std::memory_order_acquire);  // pairs with: Add, Fail
    // Asked last: what was done before the cancellation counts.
    if (s >= kOne && (!watching || watch.waiter.state == Waiter::kGivenUp)) return ctx.Err();
  }
  if (GORT_UNLIKELY((s & kFailed) != 0)) Rethrow();
  return absl::OkStatus();
}

}  // namespace gort
