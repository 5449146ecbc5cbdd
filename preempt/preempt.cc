#include "gort/preempt/preempt.h"

#include <signal.h>

#include <atomic>
#include <cerrno>
#include <mutex>

#include "gort/base/attributes.h"
#include "gort/base/godebug.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/platforms/thread.h"
#include "gort/platforms/valgrind.h"
#include "gort/preempt/async_frame.h"
#include "gort/preempt/blocked_call.h"
#include "gort/preempt/user_text.h"
#include "gort/proc/proc.h"
#include "gort/proc/sched_seed.h"
#include "gort/signals/signals.h"

namespace gort::rt {
namespace {

constexpr int64_t kTimeSlice = 10'000'000;

constinit int preempt_signal = 0;  // const after PreemptInstall
constinit std::atomic<int64_t> counts[static_cast<int>(SafePoint::kCount)];
constinit std::atomic<int> pinned{0};

// std::call_once, inlined into user code, leaves its callable in two thread-local variables, where
// the C library's pthread_once finds it. A G that is pre-empted between the two may go on on
// another thread, so gort_async_preempt2 carries the variables there. (What else user code keeps in
// the thread from one instruction to the next, exception state and errno, SwitchTo carries.)
struct CallOnceState {
#ifdef _GLIBCXX_HAVE_TLS
  void* callable = std::__once_callable;
  void (*call)() = std::__once_call;
#endif
};

GORT_NOINLINE void Save(CallOnceState* s) { *s = CallOnceState{}; }
GORT_NOINLINE void Restore(const CallOnceState& s) {
#ifdef _GLIBCXX_HAVE_TLS
  std::__once_callable = s.callable;
  std::__once_call = s.call;
#endif
}

// False: so many Gs keep their threads already.
bool TakePin(int most) {
  if (pinned.fetch_add(1, std::memory_order_relaxed) < most) return true;
  pinned.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

// Makes the system call that the interrupted G stands at, without a P. The frames below are the C
// library's, so the G stays on this thread.
void MakeCall(AsyncFrame* frame) {
  LockOSThread();
  EnterSyscallBlock();
  BlockedCallMake(AsyncFrameContext(frame));
  ExitSyscall();
  UnlockOSThread();
}

void Yield(bool pin) {
  if (pin) LockOSThread();
  Gosched();
  if (pin) {
    UnlockOSThread();
    pinned.fetch_sub(1, std::memory_order_relaxed);
  }
}

// Go: doSigPreempt
bool OnPreemptSignal(siginfo_t* info, SigCtx& ctx, G* gp) {
  if (gp == nullptr || gp->m == nullptr) return false;
  M* mp = gp->m;
  if (info->si_code != SI_TKILL || info->si_pid != ProcessId()) {
    // Not ours, but ours was sent too. The kernel keeps one signal of a number for each thread: if
    // this one came first, ours is lost. So ours is sent again; if it is pending, the two merge.
    if (mp->signal_pending.load(std::memory_order_relaxed) != 0) {
      ThreadKill(mp->tid.load(std::memory_order_relaxed), preempt_signal);
    }
    return false;
  }
  // pairs with: PreemptM
  if (mp->signal_pending.exchange(0, std::memory_order_acq_rel) == 0) return false;
  // The request came too late: the G that it was for has left this M, or a seed rules.
  if (!gp->preempt.load(std::memory_order_relaxed) || SeedIgnoresRequests()) {
    if (gp->goid != 0 && BlockedCallAt(ctx)) BlockedCallRewind(ctx);
    return true;
  }
  SafePoint answer = JudgeSafePoint(ctx, gp, AsyncFrameBytes(ctx));
  if (answer == SafePoint::kPin && !TakePin(kMaxPinned)) answer = SafePoint::kPinned;
  if (answer == SafePoint::kSafe && !gp->may_move && TakePin(kMaxStaying)) answer = SafePoint::kPin;
  counts[static_cast<int>(answer)].fetch_add(1, std::memory_order_relaxed);
  // Our signal shall not end a system call with EINTR: the call is made again where that happens
  // once. It happens once for an unknown function, which is known at the next request, and for a G
  // that has given its P up (Blocking), which is not asked again. Elsewhere the monitor asks again
  // and again, and a sleep that begins anew each time has no end.
  bool once =
      answer == SafePoint::kUnknown || answer == SafePoint::kNotUserG || answer == SafePoint::kNoP;
  bool again = once && gp->goid != 0 && BlockedCallAt(ctx);
  if (answer == SafePoint::kBlocked || again) BlockedCallRewind(ctx);
  if (answer <= SafePoint::kBlocked) AsyncFramePush(ctx, static_cast<uint64_t>(answer));
  return true;
}

// sched_hooks.preempt_m. Go: preemptM
void PreemptM(M* mp) {
  // StopTheWorld calls this on a goroutine, whose errno this is, and ResolveWanted calls the C
  // library.
  int saved_errno = errno;
  ResolveWanted();
  errno = saved_errno;
  // The M's thread may have ended, and another may have the M by now: then nobody needs the signal.
  int tid = mp->tid.load(std::memory_order_relaxed);
  if (tid == 0 || mp->signal_pending.exchange(1, std::memory_order_acq_rel) != 0) return;
  if (!ThreadKill(tid, preempt_signal)) {
    mp->signal_pending.store(0, std::memory_order_release);
  }
}

}  // namespace

void PreemptInstall() {
  if (godebug.asyncpreemptoff != 0 || GORT_TSAN) return;
  if (RunningOnValgrind()) return;  // its signal frames are not the kernel's
  preempt_signal = PreemptSignal();
  if (!UserTextAddProgram()) return;
  SafePointInit();
  SignalRegister(preempt_signal, &OnPreemptSignal);
  sched_hooks.preempt_m = &PreemptM;
}

int PreemptSignal() {
  return godebug.preemptsignal != 0 ? static_cast<int>(godebug.preemptsignal) : SIGURG;
}

int64_t PreemptCount(SafePoint answer) {
  return counts[static_cast<int>(answer)].load(std::memory_order_relaxed);
}

int64_t TimeSliceNs() {
  return godebug.preemptrate != 0 ? 1'000'000'000 / godebug.preemptrate : kTimeSlice;
}

}  // namespace gort::rt

// On the goroutine's stack, as if the interrupted instruction had called it. Go: asyncPreempt2
extern "C" void gort_async_preempt2(gort::rt::AsyncFrame* frame);
extern "C" void gort_async_preempt2(gort::rt::AsyncFrame* frame) {
  using namespace gort::rt;  // NOLINT(google-build-using-namespace): a C function
  CallOnceState once;
  Save(&once);
  auto point = static_cast<SafePoint>(AsyncFrameNote(frame));
  if (point == SafePoint::kBlocked) {
    MakeCall(frame);
  } else {
    Yield(point == SafePoint::kPin);
  }
  Restore(once);
  AsyncFrameRetarget(frame);
}
