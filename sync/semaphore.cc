#include "gort/sync/semaphore.h"

#include <utility>

#include "gort/base/panic.h"
#include "gort/context/internal/watch.h"
#include "gort/gmp/g.h"
#include "gort/gmp/wait_reason.h"
#include "gort/proc/proc.h"

namespace gort {

// A waiter, in the frame of its call. The frame stays until the waiter is off the list and has been
// woken.
struct Semaphore::Waiter {
  enum State : uint8_t { kNew, kListed, kGranted, kGivenUp };

  int64_t k = 0;           // units wanted
  rt::G* gp = nullptr;     // to be readied
  State state = kNew;      // guarded by the semaphore's lock; kGranted: the units are its own
  Waiter* prev = nullptr;  // guarded by the semaphore's lock
  Waiter* next = nullptr;  // guarded by the semaphore's lock; of those granted: the waker's
};

// Ends a wait. Those behind the waiter are served when it has woken up.
struct Semaphore::Watch : rt::ContextWatch {
  Watch(Semaphore* s, int64_t k) : ContextWatch(&GiveUp), sem(s) { waiter.k = k; }
  static rt::G* GiveUp(rt::ContextWatch* w);
  Semaphore* const sem;
  Waiter waiter;
};

rt::G* Semaphore::Watch::GiveUp(rt::ContextWatch* w) {
  auto* self = static_cast<Watch*>(w);
  Waiter* waiter = &self->waiter;
  rt::LockGuard guard(&self->sem->lock_);
  const bool listed = waiter->state == Waiter::kListed;
  if (waiter->state == Waiter::kGranted) return nullptr;
  if (listed) self->sem->Remove(waiter);
  waiter->state = Waiter::kGivenUp;
  return listed ? waiter->gp : nullptr;
}

namespace {

void CheckUnits(int64_t k) {
  if (k < 0) throw Panic("semaphore: negative number of units");
}

}  // namespace

void Semaphore::Queue(Waiter* w) {
  w->state = Waiter::kListed;
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
    w->state = Waiter::kGranted;
    *tail = w;
    tail = &w->next;
  }
  return granted;
}

void Semaphore::Wake(Waiter* granted) {
  while (Waiter* w = granted) {
    granted = w->next;
    rt::GoReady(w->gp);  // w may be gone now
  }
}

bool Semaphore::TryAcquire(int64_t k) {
  CheckUnits(k);
  rt::LockGuard guard(&lock_);
  if (first_ != nullptr || free_ < k) return false;
  free_ -= k;
  return true;
}

// Takes the units, or parks until they are the waiter's or it has given up.
void Semaphore::TakeOrPark(Waiter* w) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  w->gp = rt::CurrentG();
  lock_.Lock();
  if (w->state == Waiter::kNew && first_ == nullptr && free_ >= w->k) {
    free_ -= w->k;
    w->state = Waiter::kGranted;
  }
  if (w->state != Waiter::kNew) {
    lock_.Unlock();
    return;
  }
  Queue(w);
  rt::GoParkUnlock(&lock_, rt::WaitReason::kSyncSemaphore);
}

void Semaphore::Acquire(int64_t k) {
  CheckUnits(k);
  if (k > size_) rt::GoPark(nullptr, nullptr, rt::WaitReason::kSyncSemaphore);
  Waiter w;
  w.k = k;
  TakeOrPark(&w);
}

absl::Status Semaphore::Acquire(const Context& ctx, int64_t k) {
  CheckUnits(k);
  if (absl::Status err = ctx.Err(); !err.ok()) return err;
  if (k > size_) {
    ctx.Done().Recv();
    return ctx.Err();
  }
  if (TryAcquire(k)) return absl::OkStatus();
  Watch watch(this, k);
  if (!watch.Begin(ctx)) return ctx.Err();
  TakeOrPark(&watch.waiter);
  watch.End();
  absl::Status err = ctx.Err();
  if (err.ok()) return err;
  if (watch.waiter.state == Waiter::kGranted) {
    Release(k);  // cancelled and served at the same time
  } else {
    ServeOthers();
  }
  return err;
}

// Of a waiter that has given up, and may have been in the way of those behind it.
void Semaphore::ServeOthers() {
  Waiter* granted;
  {
    rt::LockGuard guard(&lock_);
    granted = Grant();
  }
  Wake(granted);
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
