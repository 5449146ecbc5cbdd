// timer/testing/latch.h: waits until a count has come down to zero.
// What      what a WaitGroup does, from proc alone: timer's tests must not need //sync, which may
//           itself come to use timers.
#ifndef GORT_TIMER_TESTING_LATCH_H_
#define GORT_TIMER_TESTING_LATCH_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/g.h"
#include "gort/gmp/wait_reason.h"
#include "gort/lock/mutex.h"
#include "gort/proc/proc.h"

namespace gort::testing {

// While it lives, threads that have not used gort yet count as somebody who may still wake a
// goroutine: the deadlock report cannot know of them.
class ThreadsToCome {
 public:
  ThreadsToCome() { rt::AttachExternalWaker(); }
  ~ThreadsToCome() { rt::DetachExternalWaker(); }
  ThreadsToCome(const ThreadsToCome&) = delete;
  ThreadsToCome& operator=(const ThreadsToCome&) = delete;
};

class Latch {
 public:
  explicit Latch(int64_t n) : n_(n) {}

  // Goroutines, threads, g0.
  __attribute__((noinline)) void Done() {  // it holds a lock of the runtime (preempt/safe_point.h)
    rt::G* waiter = nullptr;
    {
      rt::LockGuard l(&mu_);
      if (--n_ == 0) waiter = waiter_;
    }
    if (waiter != nullptr) rt::GoReady(waiter);
  }

  // By one goroutine or thread. The latch must outlive the last Done.
  __attribute__((noinline)) void Wait() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    rt::G* gp = rt::CurrentG();
    mu_.Lock();
    if (n_ == 0) {
      mu_.Unlock();
      return;
    }
    waiter_ = gp;
    rt::GoParkUnlock(&mu_, rt::WaitReason::kSyncWaitGroupWait);
  }

 private:
  rt::Mutex mu_;
  int64_t n_ ABSL_GUARDED_BY(mu_);
  rt::G* waiter_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace gort::testing

#endif  // GORT_TIMER_TESTING_LATCH_H_
