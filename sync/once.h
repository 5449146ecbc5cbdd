// gort/sync/once.h: running something once.
// What      gort::Once. The first Do(f) calls f; all others return when that call has ended. A call
//           that throws counts as ended: f is never called again (Go's rule, not std::call_once's).
//           Do called from inside f on the same Once deadlocks.
// Layer     10.                                        Go: sync.Once
// Contract  | call | goroutine | other thread | parks                        | allocates |
//           | Do   |     x     | blocks it    | while another's f is running |     -     |
#ifndef GORT_SYNC_ONCE_H_
#define GORT_SYNC_ONCE_H_

#include <atomic>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/wait_reason.h"
#include "gort/sync/mutex.h"

namespace gort {

class Once {
 public:
  constexpr Once() = default;
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  template <class F>
  void Do(F&& f) {
    if (done_.load(std::memory_order_acquire)) return;  // pairs with: ~End
    DoSlow(std::forward<F>(f));
  }

 private:
  template <class F>
  void DoSlow(F&& f) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    struct End {
      Once* once;
      bool called;
      ~End() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        // pairs with: Do
        if (called) once->done_.store(true, std::memory_order_release);
        once->mu_.Unlock();
      }
    };
    mu_.LockFor(rt::WaitReason::kSyncOnce);
    End end{this, !done_.load(std::memory_order_relaxed)};  // written under mu_
    if (end.called) static_cast<void>(std::invoke(std::forward<F>(f)));
  }

  std::atomic<bool> done_{false};
  Mutex mu_;
};

}  // namespace gort

#endif  // GORT_SYNC_ONCE_H_
