#include "sync/semaphore.h"

#include "base/panic.h"
#include "gmp/g.h"
#include "gmp/glist.h"
#include "gmp/sudog.h"
#include "gmp/wait_reason.h"
#include "proc/proc.h"

// Sudog fields: elem = the number of units wanted, in the waiter's frame; next = the next waiter.

namespace gort {

bool Semaphore::TryAcquire(int64_t k) {
  if (k < 0) throw Panic("semaphore: negative number of units");
  rt::LockGuard guard(&lock_);
  if (first_ != nullptr || free_ < k) return false;
  free_ -= k;
  return true;
}

void Semaphore::Acquire(int64_t k) {
  if (k < 0) throw Panic("semaphore: negative number of units");
  rt::G* gp = rt::CurrentG();
  if (k > size_) rt::GoPark(nullptr, nullptr, rt::WaitReason::kSyncSemaphore);
  lock_.Lock();
  if (first_ == nullptr && free_ >= k) {
    free_ -= k;
    lock_.Unlock();
    return;
  }
  rt::Sudog* s = rt::AcquireSudog();
  s->g = gp;
  s->elem = &k;
  s->next = nullptr;
  (last_ != nullptr ? last_->next : first_) = s;
  last_ = s;
  rt::GoParkUnlock(&lock_, rt::WaitReason::kSyncSemaphore);
  rt::ReleaseSudog(s);
}

void Semaphore::Release(int64_t k) {
  if (k < 0) throw Panic("semaphore: negative number of units");
  rt::GQueue woken;
  bool too_many;
  {
    rt::LockGuard guard(&lock_);
    too_many = k > size_ - free_;
    if (!too_many) free_ += k;
    // Strictly in order: when the first waiter cannot be served, nobody is.
    while (first_ != nullptr) {
      rt::Sudog* s = first_;
      const int64_t wanted = *static_cast<const int64_t*>(s->elem);
      if (wanted > free_) break;
      free_ -= wanted;
      first_ = s->next;
      if (first_ == nullptr) last_ = nullptr;
      s->next = nullptr;
      s->elem = nullptr;
      woken.PushBack(s->g);
    }
  }
  while (rt::G* gp = woken.Pop()) rt::GoReady(gp);
  if (too_many) throw Panic("semaphore: released more than held");
}

}  // namespace gort
