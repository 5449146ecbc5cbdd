#include "gort/profile/internal/cpu_handler.h"

#include <setjmp.h>
#include <signal.h>

#include <atomic>

#include "gort/base/attributes.h"
#include "gort/gmp/g.h"
#include "gort/gmp/labels.h"
#include "gort/platforms/cpu_timer.h"
#include "gort/platforms/sigctx.h"
#include "gort/platforms/signal.h"
#include "gort/preempt/blocked_call.h"
#include "gort/signals/signals.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {

constinit SampleQueue cpu_samples;

namespace {

constinit std::atomic<CpuSource> listening{CpuSource::kNone};
constinit std::atomic<int64_t> lost{0};
// Whether the end puts back what was there before: a handler of the program's. The default action
// is not put back, because a signal that a thread has blocked until then would end the process.
constinit bool give_back = false;

// Where a walk of this thread's goes on after a fault; null: none is on.
__attribute__((tls_model("initial-exec"))) constinit thread_local sigjmp_buf* walk_end = nullptr;

// A SignalFn for faults: before all others, because a fault in a walk is nobody else's.
bool OnFault(siginfo_t*, SigCtx&, G*) {
  sigjmp_buf* end = walk_end;
  if (end == nullptr) return false;
  walk_end = nullptr;
  siglongjmp(*end, 1);
}

bool Note(const Frame& frame, void* arg) {
  auto* s = static_cast<Sample*>(arg);
  if (s->n == kMaxStack) return false;
  s->pcs[s->n++] = frame.lookup_pc();
  return true;
}

void NoteStack(const SigCtx& ctx, Sample* s) {
  s->n = 0;
  // ThreadSanitizer calls handlers later, on another context than the one that was interrupted.
  if (GORT_TSAN) {
    Note({ctx.pc(), 0, true}, s);
    return;
  }
  sigjmp_buf end;
  if (sigsetjmp(end, 1) == 0) {
    walk_end = &end;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    for (int sig : {SIGSEGV, SIGBUS}) SigUnblock(sig);
    UnwindSigCtx(ctx, &Note, s);
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  walk_end = nullptr;
}

// The labels of the interrupted goroutine; none on g0, which works for no goroutine in particular.
LabelSet* LabelsOf(const G* gp) {
  return gp != nullptr ? gp->labels.load(std::memory_order_relaxed) : nullptr;
}

void NoteSample(const SigCtx& ctx, const G* gp, int ticks) {
  uint64_t ticket;
  Sample* s = cpu_samples.Claim(&ticket);
  if (s == nullptr) {
    lost.fetch_add(ticks, std::memory_order_relaxed);
    return;
  }
  s->ticks = ticks;
  s->labels = LabelsOf(gp);
  KeepLabels(s->labels);
  NoteStack(ctx, s);
  cpu_samples.Publish(ticket);
}

// The program shall not see EINTR because of us. A handler of its own that blocks our signal may have
// ended the call, and ours came at that handler's end: then EINTR is the program's due.
void MakeCallAgain(SigCtx& ctx) {
  const BlockedCall call = BlockedCallOf(ctx);
  if (call.state == BlockedCall::State::kEnded && !AnotherHandlerBlocks(SIGPROF)) {
    BlockedCallRewind(ctx, call);
  }
}

bool OnProfSignal(siginfo_t* info, SigCtx& ctx, G* gp) {
  int ticks = CpuTimerTicks(*info);
  const CpuSource source =
      listening.load(std::memory_order_acquire);  // pairs with: CpuHandlerListen
  if (ticks == 0 && source == CpuSource::kProcess) ticks = ProcessTimerTicks(*info);
  if (ticks == 0) return false;
  if (source != CpuSource::kNone) NoteSample(ctx, gp, ticks);
  MakeCallAgain(ctx);
  return true;
}

}  // namespace

void CpuHandlerInstall() {
  static constinit std::atomic<bool> registered{false};
  struct sigaction found {};
  give_back =
      SigGetAction(SIGPROF, &found) && found.sa_handler != SIG_DFL && found.sa_handler != SIG_IGN;
  if (!registered.exchange(true)) {
    SignalRegister(SIGSEGV, &OnFault);
    SignalRegister(SIGBUS, &OnFault);
    SignalRegister(SIGPROF, &OnProfSignal);
    if (give_back) SigSetAction(SIGPROF, found);  // what is registered for is never given back
  }
  SignalTake(SIGPROF);
  // The first walk makes the unwinder do now what it does only once.
  uintptr_t pcs[4];
  Callers(0, pcs, 4);
}

void CpuHandlerRemove() {
  if (give_back) SignalGiveBack(SIGPROF);
}

void CpuHandlerListen(CpuSource source) { listening.store(source, std::memory_order_release); }

int64_t TakeCpuSamplesLost() { return lost.exchange(0, std::memory_order_relaxed); }

}  // namespace gort::rt
