#include "gort/sync/semaphore.h"

#include <utility>

#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/gmp/g.h"
#include "gort/gmp/wait_reason.h"
#include "gort/proc/proc.h"

namespace gort {

// A waiter, in the frame of its call. The frame stays until `granted` is set and the waiter has
// been woken, or until the waiter has taken itself off the list.
struct Semaphore::Waiter {
  int64_t k;               // units wanted
  rt::G* gp = nullptr;     // parked, to be readied; null: waits in a select
  Chan<Unit> ready = {};   // closed instead, if gp is null
  bool granted = false;    // guarded by the semaphore's lock; off the list, the units are its own
  Waiter* prev = nullptr;  // guarded by the semaphore's lock
  Waiter* next = nullptr;  // guarded by the semaphore's lock; of those granted: the waker's
};

namespace {

void CheckUnits(int64_t k) {
  if (k < 0) throw Panic("semaphore: negative number of units");
}

}  // namespace

void Semaphore::Queue(Waiter* w) {
  w->prev = last_;
  (last_ != nullptr ? last_->next : first_) = w;
  last_ = w;
}

void Semaphore::Remove(Waiter* w) {
  (w->prev != nullptr ? w->prev->next : first_) = w->next;
  (w->next != nullptr ? w->next->prev : last_) = w->prev;
  w->prev = w->next = nullptr;
}

// Gives free units to the first waiters of the line, in order: while the first cannot be served, no
// other is. Returns the waiters that were served, for Wake.
Semaphore::Waiter* Semaphore::Grant() {
  Waiter* granted = nullptr;
  Waiter** tail = &granted;
  while (first_ != nullptr && first_->k <= free_) {
    Waiter* w = first_;
    free_ -= w->k;
    Remove(w);
    w->granted = true;
    *tail = w;
    tail = &w->next;
  }
  return granted;
}

void Semaphore::Wake(Waiter* granted) {
  while (Waiter* w = granted) {
    granted = w->next;
    // Once woken, w is gone.
    if (w->gp != nullptr) {
      rt::GoReady(w->gp);
    } else {
      Chan<Unit> ready = w->ready;
      ready.Close();
    }
  }
}

bool Semaphore::TryAcquire(int64_t k) {
  CheckUnits(k);
  rt::LockGuard guard(&lock_);
  if (first_ != nullptr || free_ < k) return false;
  free_ -= k;
  return true;
}

void Semaphore::Acquire(int64_t k) {
  CheckUnits(k);
  rt::G* gp = rt::CurrentG();
  if (k > size_) rt::GoPark(nullptr, nullptr, rt::WaitReason::kSyncSemaphore);
  lock_.Lock();
  if (first_ == nullptr && free_ >= k) {
    free_ -= k;
    lock_.Unlock();
    return;
  }
  Waiter w{k};
  w.gp = gp;
  Queue(&w);
  rt::GoParkUnlock(&lock_, rt::WaitReason::kSyncSemaphore);
}

absl::Status Semaphore::Acquire(const Context& ctx, int64_t k) {
  CheckUnits(k);
  if (absl::Status err = ctx.Err(); !err.ok()) return err;
  const RecvChan<Unit> done = ctx.Done();
  if (!done) {
    Acquire(k);
    return absl::OkStatus();
  }
  if (k > size_) {
    done.Recv();
    return ctx.Err();
  }
  if (TryAcquire(k)) return absl::OkStatus();
  Waiter w{k};
  w.ready = MakeChan<Unit>();
  Waiter* granted = nullptr;
  {
    rt::LockGuard guard(&lock_);
    Queue(&w);
    granted = Grant();  // what became free since TryAcquire
  }
  Wake(granted);
  Select(OnRecv(w.ready), OnRecv(done));
  absl::Status err = ctx.Err();
  if (err.ok()) return err;
  bool mine;
  {
    rt::LockGuard guard(&lock_);
    mine = w.granted;
    if (!mine) {
      Remove(&w);
      granted = Grant();  // serves those behind, if this waiter was in their way
    }
  }
  if (mine) {
    // Cancelled and served at the same time. The goroutine that served w uses it until the channel
    // is closed.
    w.ready.Recv();
    Release(k);
  } else {
    Wake(granted);
  }
  return err;
}

void Semaphore::Release(int64_t k) {
  CheckUnits(k);
  Waiter* granted = nullptr;
  bool too_many;
  {
    rt::LockGuard guard(&lock_);
    too_many = k > size_ - free_;
    if (!too_many) {
      free_ += k;
      granted = Grant();
    }
  }
  Wake(granted);
  if (too_many) throw Panic("semaphore: released more than held");
}

}  // namespace gort
