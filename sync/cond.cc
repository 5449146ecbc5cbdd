#include "gort/sync/cond.h"

#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/sudog.h"
#include "gort/gmp/wait_reason.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

// a was drawn before b; the tickets may have wrapped around.
bool Before(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

}  // namespace

void NotifyList::Wait(uint32_t ticket) {
  G* gp = CurrentG();
  lock_.Lock();
  if (Before(ticket, notify_.load(std::memory_order_relaxed))) {  // written under lock_
    lock_.Unlock();
    return;
  }
  Sudog s;  // who takes it off the list is done with it when it readies gp
  s.g = gp;
  s.ticket = ticket;
  s.next = nullptr;
  (last_ != nullptr ? last_->next : first_) = &s;
  last_ = &s;
  GoParkUnlock(&lock_, WaitReason::kSyncCondWait);
}

Sudog* NotifyList::Remove(uint32_t ticket) {
  // Nearly always the first of the list: waiters draw tickets shortly before they fall asleep, and
  // the list is in the order in which they fell asleep.
  Sudog* prev = nullptr;
  for (Sudog* s = first_; s != nullptr; prev = s, s = s->next) {
    if (s->ticket != ticket) continue;
    (prev != nullptr ? prev->next : first_) = s->next;
    if (last_ == s) last_ = prev;
    s->next = nullptr;
    return s;
  }
  return nullptr;
}

void NotifyList::NotifyOne() {
  // Every ticket that was drawn has been called: the usual Signal without a waiter.
  if (wait_.load() == notify_.load()) return;
  G* gp = nullptr;
  {
    LockGuard guard(&lock_);
    const uint32_t ticket = notify_.load(std::memory_order_relaxed);  // written under lock_
    if (ticket == wait_.load()) return;
    notify_.store(ticket + 1);
    if (Sudog* s = Remove(ticket)) gp = s->g;
  }
  if (gp != nullptr) GoReady(gp);
}

void NotifyList::NotifyAll() {
  if (wait_.load() == notify_.load()) return;
  GQueue woken;
  {
    LockGuard guard(&lock_);
    notify_.store(wait_.load());
    for (Sudog* s = first_; s != nullptr;) {
      Sudog* next = s->next;
      s->next = nullptr;
      woken.PushBack(s->g);
      s = next;
    }
    first_ = last_ = nullptr;
  }
  while (G* gp = woken.Pop()) GoReady(gp);
}

}  // namespace gort::rt
