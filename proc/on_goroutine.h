// proc/on_goroutine.h: has a goroutine do what a thread cannot; what either does in the kernel.
// What      to stop the world, or to make a thread, needs a P, which a thread that gort did not make has
//           not.
// Layer     6. Any goroutine, and any thread while the runtime runs; such a thread waits.
#ifndef GORT_PROC_ON_GOROUTINE_H_
#define GORT_PROC_ON_GOROUTINE_H_

#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/g.h"
#include "gort/gmp/wait_reason.h"
#include "gort/lock/mutex.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"

namespace gort::rt {

// One wait of a thread for a goroutine.
class WaitForGoroutine {
 public:
  // By the goroutine, once.
  void Done() {
    mu_.Lock();
    done_ = true;
    G* const waiter = waiter_;
    mu_.Unlock();  // without a waiter this may be gone by now
    if (waiter != nullptr) GoReady(waiter);
  }
  // By the thread, once.
  void Await() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    G* const self = CurrentG();
    mu_.Lock();
    if (done_) {
      mu_.Unlock();
      return;
    }
    waiter_ = self;
    GoParkUnlock(&mu_, WaitReason::kZero);
  }

 private:
  Mutex mu_;  // not ranked: taken with no other lock held
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  G* waiter_ ABSL_GUARDED_BY(mu_) = nullptr;
};

// f(), which does not throw, called here if this is a goroutine, else by one. Returns a value. Not on a
// g0.
template <class F>
std::invoke_result_t<const F&> OnAGoroutine(const F& f) {
  if (OnGoroutine()) return f();
  std::optional<std::invoke_result_t<const F&>> result;
  WaitForGoroutine wait;
  // A system goroutine: one that is there for a moment is no goroutine of the program's.
  GoSystem([&] {
    result.emplace(f());
    wait.Done();
  });
  wait.Await();
  return *std::move(result);
}

// f() as a system call, if the caller is a goroutine.
template <class F>
std::invoke_result_t<const F&> InSyscall(const F& f) {
  struct Scope {
    const bool on = OnGoroutine();
    Scope() {
      if (on) EnterSyscall();
    }
    ~Scope() {
      if (on) ExitSyscall();
    }
  } scope;
  return f();
}

}  // namespace gort::rt

#endif  // GORT_PROC_ON_GOROUTINE_H_
