// tests/timer/latch.h: waits until a count has come down to zero.
// What      what a WaitGroup does, from proc alone: these tests must not need //sync.
#ifndef GORT_TESTS_TIMER_LATCH_H_
#define GORT_TESTS_TIMER_LATCH_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "lock/mutex.h"
#include "proc/proc.h"

namespace gort::rt {

class Latch {
 public:
  explicit Latch(int64_t n) : n_(n) {}

  void Done() {
    G* waiter;
    {
      LockGuard l(&mu_);
      if (--n_ != 0) return;
      waiter = waiter_;
    }
    if (waiter != nullptr) GoReady(waiter);
  }

  // By one goroutine or thread. The latch must outlive the last Done.
  void Wait() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    G* gp = CurrentG();
    mu_.Lock();
    if (n_ == 0) {
      mu_.Unlock();
      return;
    }
    waiter_ = gp;
    GoParkUnlock(&mu_, WaitReason::kSyncWaitGroupWait);
  }

 private:
  Mutex mu_;
  int64_t n_ ABSL_GUARDED_BY(mu_);
  G* waiter_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace gort::rt

#endif  // GORT_TESTS_TIMER_LATCH_H_
