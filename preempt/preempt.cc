#include "gort/preempt/preempt.h"

#include <signal.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "gort/base/attributes.h"
#include "gort/base/godebug.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/platforms/pins.h"
#include "gort/platforms/thread.h"
#include "gort/platforms/valgrind.h"
#include "gort/preempt/async_frame.h"
#include "gort/preempt/blocked_call.h"
#include "gort/preempt/thread_registers.h"
#include "gort/proc/proc.h"
#include "gort/proc/sched_seed.h"
#include "gort/proc/stay.h"
#include "gort/signals/signals.h"

namespace gort::rt {
namespace {

constexpr int64_t kTimeSlice = 10'000'000;

// Room on the G's stack for gort_async_preempt2 and for what it calls before the G leaves the
// stack.
constexpr uintptr_t kRoom = GORT_ASAN ? 8 << 10 : 2 << 10;

constinit int preempt_signal = 0;  // const after PreemptInstall
constinit std::atomic<int64_t> counts[static_cast<int>(Interrupted::kCount)];

// False in a handler of the application's, which returns with what it knows of its thread, and after
// pthread_sigmask(3).
bool MaskIsTheUsual(const SigCtx& ctx) {
  const SigSet mask = MSignalMask();
  return memcmp(&mask, &ctx.raw()->uc_sigmask, kKernelSigSetBytes) == 0;
}

// The program has promised that gp may go on on another thread, and there is room for the frame.
bool MayMove(const G* gp, const SigCtx& ctx) {
  // AddressSanitizer's runtime, which any instruction may be in, keeps its thread in hand.
  if (!gp->may_move || GORT_ASAN) return false;
  if (!gp->stack.Contains(ctx.sp()) || RegisterPointsToThread(ctx)) return false;
  if (!MaskIsTheUsual(ctx)) return false;
  const size_t bytes = AsyncFrameBytes(ctx);
  return bytes != 0 && ctx.sp() - gp->stack.lo >= bytes + kRoom;
}

// Whether our signal can have ended the call that a signal has ended here. A handler of the
// application's may have done so, and ours came while that ran and blocked it: then there is such a
// handler, and the thread has used its CPU since ours was sent. (The CPU time alone does not tell: the
// sender may have been held up before it sent, and the host of a virtual machine may count its own.)
bool OursMayHaveEnded(const M* mp) {
  constexpr int64_t kDeliveryNs = 500'000;  // an emulator takes so long
  const int64_t sent = mp->signal_cpu.load(std::memory_order_relaxed);
  return ThreadCpuNs(mp->tid.load(std::memory_order_relaxed)) - sent < kDeliveryNs ||
         !AnotherHandlerBlocks(preempt_signal);
}

// True at a system call that is to be made. One that our signal has ended is made again, whatever else
// becomes of the signal: the program shall not see EINTR because of us.
bool AtCall(const M* mp, SigCtx& ctx) {
  const BlockedCall call = BlockedCallOf(ctx);
  if (call.state != BlockedCall::State::kEnded) return call.state == BlockedCall::State::kNext;
  if (!OursMayHaveEnded(mp)) return false;
  BlockedCallRewind(ctx, call);
  return true;
}

// Pinned: the scheduler may be called.
Interrupted Act(G* gp, SigCtx& ctx, bool at_call) {
  const bool asked = gp->preempt.load(std::memory_order_relaxed) && !SeedIgnoresRequests();
  // The request came too late: the G that it was for has left this M, or a seed rules.
  if (!asked) return Interrupted::kTooLate;
  switch (JudgeP(gp)) {
    case HasP::kNever:
      return Interrupted::kNoP;
    case HasP::kLost:
      break;
    case HasP::kYes:
      if (!at_call && MayMove(gp, ctx)) {
        AsyncFramePush(ctx);
        return Interrupted::kMoved;
      }
      const Gave gave = GivePAway(gp, at_call ? nullptr : &ctx);
      if (gave == Gave::kNobody) return Interrupted::kTooMany;
      if (gave == Gave::kYes && at_call) return Interrupted::kAtCall;
      break;
  }
  return StayWithoutP(gp, ctx) ? Interrupted::kStayed : Interrupted::kTooMany;
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
  const bool asks = mp->signal_pending.exchange(0, std::memory_order_acq_rel) != 0;
  // Ours all the same, if it was sent a second time and the first was answered just then.
  if (!asks && mp->signal_again.exchange(0, std::memory_order_relaxed) == 0) return false;
  const bool runs_program = RunsProgram(gp);
  const bool at_call = runs_program && AtCall(mp, ctx);
  if (!asks) return true;
  Interrupted answer = Interrupted::kNotUserG;
  if (runs_program) {
    if (Pins() != 0 || LocksCounted() != 0 || mp->locks != 0 ||
        mp->dying.load(std::memory_order_relaxed) != 0) {
      answer = Interrupted::kPinned;
    } else {
      Pinned pinned;
      answer = Act(gp, ctx, at_call);
    }
  }
  counts[static_cast<int>(answer)].fetch_add(1, std::memory_order_relaxed);
  return true;
}

// For a request that came after so many others without an answer: their signal may have gone another
// way, to sigwait(3) or into a signalfd(2), so it is sent again at times. A thread that has it pending
// notices nothing of that, unless the signal is one of those that the kernel counts.
void SendAgain(M* mp, int tid, uint32_t before) {
  constexpr uint32_t kAgain = 16;
  if (before % kAgain != 0 || preempt_signal >= SIGRTMIN) return;
  mp->signal_again.store(1, std::memory_order_relaxed);
  ThreadKill(tid, preempt_signal);
  // Not answered yet: the two are one.
  if (mp->signal_pending.load() != 0) mp->signal_again.store(0, std::memory_order_relaxed);
}

// sched_hooks.preempt_m. Go: preemptM
void PreemptM(M* mp) {
  // The M's thread may have ended, and another may have the M by now: then nobody needs the signal.
  int tid = mp->tid.load(std::memory_order_relaxed);
  if (tid == 0) return;
  const uint32_t before = mp->signal_pending.fetch_add(1, std::memory_order_acq_rel);
  if (before != 0) return SendAgain(mp, tid, before);
  mp->signal_cpu.store(ThreadCpuNs(tid), std::memory_order_relaxed);
  if (!ThreadKill(tid, preempt_signal)) {
    mp->signal_pending.store(0, std::memory_order_release);
  }
}

}  // namespace

void PreemptInstall() {
  if (godebug.asyncpreemptoff != 0 || GORT_TSAN) return;
  if (RunningOnValgrind()) return;  // its signal frames are not the kernel's
  preempt_signal = PreemptSignal();
  ThreadRegistersInit();
  SignalRegister(preempt_signal, &OnPreemptSignal);
  sched_hooks.preempt_m = &PreemptM;
}

int PreemptSignal() {
  return godebug.preemptsignal != 0 ? static_cast<int>(godebug.preemptsignal) : SIGURG;
}

int64_t PreemptCount(Interrupted answer) {
  return counts[static_cast<int>(answer)].load(std::memory_order_relaxed);
}

const char* InterruptedName(Interrupted i) {
  static constexpr const char* kNames[] = {"stayed", "moved", "at a call", "no goroutine",
                                           "pinned", "no P",  "too many",  "too late"};
  static_assert(sizeof kNames / sizeof kNames[0] == static_cast<size_t>(Interrupted::kCount));
  return i < Interrupted::kCount ? kNames[static_cast<int>(i)] : "???";
}

int64_t TimeSliceNs() {
  return godebug.preemptrate != 0 ? 1'000'000'000 / godebug.preemptrate : kTimeSlice;
}

}  // namespace gort::rt

// On the stack of a goroutine that may move, as if the interrupted instruction had called it.
// Go: asyncPreempt2
extern "C" void gort_async_preempt2(gort::rt::AsyncFrame* frame);
extern "C" void gort_async_preempt2(gort::rt::AsyncFrame* frame) {
  gort::rt::Gosched();
  gort::rt::AsyncFrameRetarget(frame);
}
