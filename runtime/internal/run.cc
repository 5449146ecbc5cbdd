#include "gort/runtime/internal/run.h"

#include <cerrno>
#include <utility>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"
#include "gort/proc/boot.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/runtime/internal/boot.h"
#include "gort/stack/internal/stack_layout.h"

namespace gort {
namespace rt {
namespace {

// One call of Run; lives in its frame.
class Call {
 public:
  explicit Call(std::function<int()> main) : main_(std::move(main)) {}

  // Runs main on the goroutine, which counts as a main meanwhile: a program at rest is a deadlock
  // only while a main exists. The thread that called Run does not count, because it may not wait
  // yet, or wait no longer, when goroutines of an earlier Run are all that is left, asleep. A main
  // that ends by Goexit stays counted.
  int Invoke() {
    MainBegin();
    int result = main_();
    EndLocals(CurrentG());  // before the caller goes on
    MainEnd();
    return result;
  }

  void Done(int result) {
    G* waiter;
    {
      LockGuard l(&mu_);
      result_ = result;
      done_ = true;
      waiter = waiter_;
      if (waiter == nullptr) return;
      // Counts the waiting thread again, before it runs: goroutines may wait for what it does next.
      if (waiter->foreign) AttachExternalWaker();
    }
    GoReady(waiter);
  }

  int Wait() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    G* gp = CurrentG();
    mu_.Lock();
    if (!done_) {
      waiter_ = gp;
      // A thread that sleeps here wakes nobody: it must not hide a deadlock.
      if (gp->foreign) DetachExternalWaker();
      GoParkUnlock(&mu_, WaitReason::kZero);
    } else {
      mu_.Unlock();
    }
    // Done may still hold the lock, which is in this frame: wait for it before the frame goes.
    LockGuard l(&mu_);
    return result_;
  }

 private:
  Mutex mu_;  // not ranked: taken with no other lock held
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  int result_ ABSL_GUARDED_BY(mu_) = 0;
  G* waiter_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::function<int()> main_;
};

// The runtime's own start, by the first Run of a process that has no rt0.
constinit Mutex start_mu;  // guards: started; not ranked: taken with no other lock held
constinit bool started = false;
constinit BootMain boot = {
    [](void* arg) { return static_cast<Call*>(arg)->Invoke(); },
    [](void* arg, int result) { static_cast<Call*>(arg)->Done(result); },
    nullptr,
};

// Goroutines take the signals that the caller takes; the thread itself begins with all blocked.
constinit SigSet caller_mask = {};

void BootThread(void*) {
  SigRestore(caller_mask);
  RtGo(0, nullptr, &boot);
}

// True: this call's main is the first goroutine.
bool StartRuntime(Call* call) {
  LockGuard l(&start_mu);
  if (started || sched.initialised.load(std::memory_order_acquire)) return false;
  started = true;
  boot.arg = call;
  caller_mask = SigCurrentMask();
  ThreadHandle thread = 0;
  if (int err = ThreadCreate(&thread, &BootThread, nullptr); err != 0) {
    Printer() << "runtime: failed to create the first thread (errno=" << err << ")\n";
    if (err == EAGAIN)
      Printer() << "runtime: may need to increase max user processes (ulimit -u)\n";
    Throw("newosproc");
  }
  return true;
}

}  // namespace
}  // namespace rt

int Run(std::function<int()> main) {
  rt::Call call(std::move(main));
  if (!rt::StartRuntime(&call)) {
    GoOptions options;
    options.stack_size = rt::kMainStack;
    // Queued in the global queue if the runtime is still starting.
    Go(options, [&call] {
      rt::MarkMain();
      call.Done(call.Invoke());
    });
  }
  return call.Wait();
}

}  // namespace gort
