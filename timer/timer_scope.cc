#include "gort/timer/timer_scope.h"

#include <memory>
#include <utility>

#include "gort/gmp/glist.h"
#include "gort/gmp/sudog.h"
#include "gort/proc/proc.h"

namespace gort {
namespace rt {

// The end of a run, by Goexit too.
class OneCall::Running {
 public:
  explicit Running(OneCall* c) : c_(c) {}
  ~Running() {
    c_->Destroy();
    GQueue woken;
    {
      LockGuard guard(&c_->lock_);
      c_->state_ = kOver;
      for (Sudog* s = std::exchange(c_->waiters_, nullptr); s != nullptr; s = s->next) {
        woken.PushBack(s->g);
      }
    }
    while (G* gp = woken.Pop()) GoReady(gp);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  OneCall* const c_;
};

void OneCall::Run() {
  {
    G* gp = CurrentG();
    LockGuard guard(&lock_);
    if (state_ != kArmed) return;
    state_ = kRunning;
    runner_ = gp;
  }
  Running running(this);
  Call();
}

bool OneCall::Stop() {
  {
    LockGuard guard(&lock_);
    if (state_ != kArmed) return false;
    state_ = kOver;
  }
  Destroy();
  return true;
}

void OneCall::WaitForRun() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  G* gp = CurrentG();
  lock_.Lock();
  if (state_ != kRunning || runner_ == gp) {
    lock_.Unlock();
    return;
  }
  Sudog s;  // who takes it off the list is done with it when it readies gp
  s.g = gp;
  s.next = waiters_;
  waiters_ = &s;
  GoParkUnlock(&lock_, WaitReason::kSemAcquire);
}

}  // namespace rt

bool AfterFuncScope::Stop() const {
  // Copies: f goes in the middle of this, and may hold what holds this handle.
  const std::shared_ptr<rt::OneCall> call = call_;
  const Timer timer = timer_;
  if (call == nullptr || !call->Stop()) return false;
  timer.Stop();
  return true;
}

bool AfterFuncScope::StopAndWait() const {
  if (Stop()) return true;
  if (call_ != nullptr) call_->WaitForRun();
  return false;
}

}  // namespace gort
