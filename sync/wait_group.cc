#include "gort/sync/wait_group.h"

#include "gort/base/attributes.h"
#include "gort/base/panic.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/sudog.h"
#include "gort/gmp/wait_reason.h"
#include "gort/proc/proc.h"

// The counter and the flag "somebody waits" are one word, so the Add that takes the counter to 0
// knows in that very step whether there are waiters. If there are none, that Add does not touch the
// object again. If there are, they, and with them the object, stay until the Add has taken their
// list and released the lock. Go's counterpart releases a semaphore once per waiter and looks at
// the object in between.

namespace gort {

void WaitGroup::Add(int64_t delta) {
  copied_.Use("sync.WaitGroup is copied");
  // acquire/release pairs with: itself (all Adds happen before the wake-up) and Wait.
  const int64_t old = state_.fetch_add(delta * kOne, std::memory_order_acq_rel);
  const int64_t now = old + delta * kOne;
  if (GORT_UNLIKELY(now < 0)) throw Panic("sync: negative WaitGroup counter");
  if (GORT_UNLIKELY(delta > 0 && old == kWaiters)) {
    throw Panic("sync: WaitGroup misuse: Add called concurrently with Wait");
  }
  if (delta < 0 && now == kWaiters) WakeAll();
}

GORT_NOINLINE void WaitGroup::WakeAll() {
  rt::GQueue woken;
  {
    rt::LockGuard guard(&lock_);
    state_.fetch_and(~kWaiters, std::memory_order_acq_rel);  // pairs with: Add, Wait
    for (rt::Sudog* s = first_; s != nullptr;) {
      rt::Sudog* next = s->next;
      s->next = nullptr;
      woken.PushBack(s->g);
      s = next;
    }
    first_ = last_ = nullptr;
  }
  while (rt::G* gp = woken.Pop()) rt::GoReady(gp);
}

void WaitGroup::Wait() {
  copied_.Use("sync.WaitGroup is copied");
  int64_t s = state_.load(std::memory_order_acquire);  // pairs with: Add
  if (s / kOne == 0) return;
  rt::G* gp = rt::CurrentG();
  lock_.Lock();
  s = state_.load(std::memory_order_acquire);  // pairs with: Add
  // The last Add comes for the list if it finds the flag set, and it waits for this lock then.
  while (s / kOne != 0 && (s & kWaiters) == 0 &&
         !state_.compare_exchange_weak(s, s | kWaiters, std::memory_order_acquire)) {
  }
  if (s / kOne == 0) {
    lock_.Unlock();
    return;
  }
  rt::Sudog sudog;  // who takes it off the list is done with it when it readies gp
  sudog.g = gp;
  sudog.next = nullptr;
  (last_ != nullptr ? last_->next : first_) = &sudog;
  last_ = &sudog;
  rt::GoParkUnlock(&lock_, rt::WaitReason::kSyncWaitGroupWait);
}

}  // namespace gort
