#include "gort/sync/cond.h"

#include <utility>

#include "gort/context/internal/watch.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/wait_reason.h"
#include "gort/proc/proc.h"

namespace gort {
namespace rt {

void NotifyList::Add(NotifyWaiter* w) {
  G* gp = CurrentG();
  LockGuard guard(&lock_);
  if (w->state == NotifyWaiter::kGivenUp) return;
  w->gp = gp;
  waiters_.PushBack(w);
  listed_.fetch_add(1);
}

bool NotifyList::Wait(NotifyWaiter* w) {
  lock_.Lock();
  if (w->state == NotifyWaiter::kAwake) {
    w->state = NotifyWaiter::kParked;  // who takes it off the list is done with it then
    GoParkUnlock(&lock_, WaitReason::kSyncCondWait);
  } else {
    lock_.Unlock();
  }
  return w->state == NotifyWaiter::kNotified;
}

void NotifyList::Remove(NotifyWaiter* w) {
  waiters_.Remove(w);
  listed_.fetch_sub(1);
}

G* NotifyList::GiveUp(NotifyWaiter* w) {
  LockGuard guard(&lock_);
  if (w->state == NotifyWaiter::kNotified) return nullptr;
  if (w->gp != nullptr) Remove(w);
  return std::exchange(w->state, NotifyWaiter::kGivenUp) == NotifyWaiter::kParked ? w->gp : nullptr;
}

G* NotifyList::Notify() {
  NotifyWaiter* w = waiters_.front();
  Remove(w);
  const bool parked = std::exchange(w->state, NotifyWaiter::kNotified) == NotifyWaiter::kParked;
  return parked ? w->gp : nullptr;
}

void NotifyList::NotifyOne() {
  if (listed_.load() == 0) return;  // the usual Signal without a waiter
  G* gp = nullptr;
  {
    LockGuard guard(&lock_);
    if (waiters_.empty()) return;
    gp = Notify();
  }
  if (gp != nullptr) GoReady(gp);
}

void NotifyList::NotifyAll() {
  if (listed_.load() == 0) return;
  GQueue woken;
  {
    LockGuard guard(&lock_);
    while (!waiters_.empty()) {
      if (G* gp = Notify()) woken.PushBack(gp);
    }
  }
  while (G* gp = woken.Pop()) GoReady(gp);
}

}  // namespace rt

void Cond::Wait() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.Cond is copied");
  rt::NotifyWaiter waiter;
  list_.Add(&waiter);
  mu_.Unlock();
  list_.Wait(&waiter);
  mu_.Lock();
}

absl::Status Cond::Wait(const Context& ctx) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.Cond is copied");
  rt::WaitWatch<rt::NotifyList, rt::NotifyWaiter, &rt::NotifyList::GiveUp> watch(&list_);
  if (!watch.Begin(ctx)) return ctx.Err();
  list_.Add(&watch.waiter);
  mu_.Unlock();
  const bool notified = list_.Wait(&watch.waiter);
  watch.End();
  mu_.Lock();
  return notified ? absl::OkStatus() : ctx.Err();
}

}  // namespace gort
