#include "gort/sync/semaphore.h"

#include "gort/base/panic.h"
#include "gort/context/internal/watch.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/wait_reason.h"
#include "gort/proc/proc.h"

namespace gort {

// A waiter, in the frame of its call. The frame stays until the waiter is off the line and has been
// woken.
struct Semaphore::Waiter : rt::ListNode<Waiter> {
  enum State : uint8_t { kNew, kListed, kGranted, kGivenUp };

  int64_t k = 0;        // units wanted
  rt::G* gp = nullptr;  // to be readied
  State state = kNew;   // guarded by the semaphore's lock; kGranted: the units are its own
};

// Those behind the waiter are served when it has woken up.
rt::G* Semaphore::GiveUp(Waiter* w) {
  rt::LockGuard guard(&lock_);
  if (w->state == Waiter::kGranted) return nullptr;
  const bool listed = w->state == Waiter::kListed;
  if (listed) line_.Remove(w);
  w->state = Waiter::kGivenUp;
  return listed ? w->gp : nullptr;
}

namespace {

void CheckUnits(int64_t k) {
  if (k < 0) throw Panic("semaphore: negative number of units");
}

void Ready(rt::GQueue* q) {
  while (rt::G* gp = q->Pop()) rt::GoReady(gp);
}

}  // namespace

void Semaphore::Grant(rt::GQueue* granted) {
  while (!line_.empty() && line_.front()->k <= free_) {
    Waiter* w = line_.PopFront();
    free_ -= w->k;
    w->state = Waiter::kGranted;
    granted->PushBack(w->gp);
  }
}

bool Semaphore::TryAcquire(int64_t k) {
  CheckUnits(k);
  rt::LockGuard guard(&lock_);
  if (!line_.empty() || free_ < k) return false;
  free_ -= k;
  return true;
}

void Semaphore::TakeOrPark(Waiter* w) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  w->gp = rt::CurrentG();
  lock_.Lock();
  if (w->state == Waiter::kNew && line_.empty() && free_ >= w->k) {
    free_ -= w->k;
    w->state = Waiter::kGranted;
  }
  if (w->state != Waiter::kNew) {
    lock_.Unlock();
    return;
  }
  w->state = Waiter::kListed;
  line_.PushBack(w);
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
  rt::WaitWatch<Semaphore, Waiter, &Semaphore::GiveUp> watch(this);
  watch.waiter.k = k;
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

void Semaphore::ServeOthers() {
  rt::GQueue granted;
  {
    rt::LockGuard guard(&lock_);
    Grant(&granted);
  }
  Ready(&granted);
}

void Semaphore::Release(int64_t k) {
  CheckUnits(k);
  rt::GQueue granted;
  bool too_many;
  {
    rt::LockGuard guard(&lock_);
    too_many = k > size_ - free_;
    if (!too_many) {
      free_ += k;
      Grant(&granted);
    }
  }
  Ready(&granted);
  if (too_many) throw Panic("semaphore: released more than held");
}

}  // namespace gort
