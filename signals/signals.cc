#include "gort/signals/signals.h"

#include <atomic>
#include <cerrno>

#include "gort/base/throw.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"
#include "gort/signals/sig_table.h"

namespace gort::rt {
namespace {

constexpr int kSignals = 65;  // 1 .. 64 on Linux

struct Slot {
  std::atomic<SignalFn> fns[kMaxSignalFns] = {};  // in the order of registering; null: end
  std::atomic<bool> installed{false};             // the thread that sets it installs the handler
  struct sigaction before = {};                   // written before the handler is in place
};
constinit Slot slots[kSignals];

void HeaderOnly(const G* gp, const SigCtx*, bool) {
  if (gp != nullptr) Printer() << "goroutine " << gp->goid << " [running]:\n";
}

bool IsFault(const SigEntry* entry, const siginfo_t* info) {
  return entry != nullptr && (entry->flags & kSigFault) != 0 && info->si_code > 0;
}

// What Go calls the fault of a goroutine; null: it has no name there. Go: sigpanic
const char* RuntimeError(const SigEntry& entry, const siginfo_t& info) {
  constexpr uintptr_t kNearNull = 4096;
  const bool mapping = info.si_code == SEGV_MAPERR || info.si_code == SEGV_ACCERR;
  if (entry.sig == SIGSEGV && mapping && reinterpret_cast<uintptr_t>(info.si_addr) < kNearNull) {
    return "invalid memory address or nil pointer dereference";
  }
  if (entry.sig != SIGFPE) return nullptr;
  if (info.si_code == FPE_INTDIV) return "integer divide by zero";
  return info.si_code == FPE_INTOVF ? "integer overflow" : "floating point error";
}

// The lines before that of the signal.
void PrintCause(Printer& p, const SigEntry& entry, const siginfo_t& info, const G* gp) {
  const bool fault = info.si_code > 0 && (entry.sig == SIGSEGV || entry.sig == SIGBUS);
  const bool scheduler = gp == nullptr || gp->m == nullptr || gp == gp->m->gsignal ||
                         (gp == gp->m->g0 && !gp->foreign);
  const char* error = info.si_code > 0 ? RuntimeError(entry, info) : nullptr;
  if (entry.sig == SIGABRT) {
    p << "fatal error: abort\n";
  } else if (scheduler) {
    p << "fatal error: unexpected signal during runtime execution\n";
  } else if (error != nullptr) {
    p << "panic: runtime error: " << error << '\n';
  } else if (fault) {
    (p << "unexpected fault address ").Hex(reinterpret_cast<uintptr_t>(info.si_addr));
    p << "\nfatal error: fault\n";
  } else {
    p << "fatal error: unexpected signal\n";
  }
}

// The report of a signal that nobody handles. Go: sighandler's end
void Report(const SigEntry& entry, const siginfo_t& info, const SigCtx& ctx, const G* gp) {
  BeginFatal();
  bool all = (entry.flags & kSigDumpAll) != 0;
  {
    Printer p;
    if (all) {
      (p << entry.name << ": " << entry.text << "\nPC=").Hex(ctx.pc());
      p << " m=" << (gp != nullptr && gp->m != nullptr ? gp->m->id : -1)
        << " sigcode=" << info.si_code << "\n\n";
    } else {
      PrintCause(p, entry, info, gp);
      p << "[signal " << entry.name << ": " << entry.text << " code=";
      p.Hex(static_cast<unsigned>(info.si_code)) << " addr=";
      p.Hex(reinterpret_cast<uintptr_t>(info.si_addr)) << " pc=";
      p.Hex(ctx.pc()) << "]\n\n";
    }
  }
  signal_report_hook(gp, &ctx, all);
  if ((entry.flags & kSigDefaultAfter) == 0) ExitFatal();
}

bool CallRegistered(Slot& slot, siginfo_t* info, SigCtx& ctx, G* gp) {
  int n = 0;
  while (n < kMaxSignalFns && slot.fns[n].load(std::memory_order_acquire) != nullptr) ++n;
  while (n > 0) {
    // pairs with: SignalRegister
    if (slot.fns[--n].load(std::memory_order_acquire)(info, ctx, gp)) return true;
  }
  return false;
}

// Whether it names a function. (A sigaction of zeros may have SA_SIGINFO.)
bool IsHandler(const struct sigaction& action) {
  if ((action.sa_flags & SA_SIGINFO) != 0) return action.sa_sigaction != nullptr;
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

// The application's handler, if it had one. Go: sigfwd
bool Forward(const struct sigaction& before, int sig, siginfo_t* info, void* ucontext) {
  if (!IsHandler(before)) return false;
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(sig, info, ucontext);
  } else {
    before.sa_handler(sig);
  }
  return true;
}

// Makes the system do what it does to a process without a handler.
void DefaultAction(const SigEntry* entry, int sig, const siginfo_t* info,
                   const struct sigaction& before) {
  bool fault = IsFault(entry, info);
  bool ignored =
      before.sa_handler == SIG_IGN || (entry != nullptr && (entry->flags & kSigDefaultIgnore) != 0);
  if (ignored && !fault) return;
  SigSetDefault(sig);
  // A fault happens again on return. Anything else is sent again, and arrives on return.
  if (!fault) ThreadKill(ThreadId(), sig);
}

// True: sig_table.h names a report for who was interrupted.
bool IsOurs(const SigEntry& entry, const G* gp) {
  if ((entry.flags & kSigDumpAll) != 0) return true;
  if ((entry.flags & kSigReport) == 0 || gp == nullptr) return false;
  return (entry.flags & kSigDefaultAfter) == 0 || gp->goid != 0;
}

void Handler(int sig, siginfo_t* info, void* ucontext) {
  int saved_errno = errno;
  Slot& slot = slots[sig];
  const SigEntry* entry = SigEntryOf(sig);
  SigCtx ctx(ucontext);
  G* gp = Getg();
  // A fault in a report shall come back to this handler, where BeginFatal ends the process with
  // status 2: a blocked fault would kill it.
  if (IsFault(entry, info)) {
    for (const SigEntry& e : kSigTable) {
      if ((e.flags & kSigFault) != 0) SigUnblock(e.sig);
    }
  }
  G* gsignal = gp != nullptr && gp->m != nullptr ? gp->m->gsignal : nullptr;
  if (gsignal != nullptr) Setg(gsignal);
  bool handled = CallRegistered(slot, info, ctx, gp);
  // The application's handler may never return (siglongjmp).
  if (gsignal != nullptr) Setg(gp);
  if (!handled) {
    errno = saved_errno;
    handled = Forward(slot.before, sig, info, ucontext);
  }
  if (!handled && entry != nullptr && IsOurs(*entry, gp)) Report(*entry, *info, ctx, gp);
  if (!handled) DefaultAction(entry, sig, info, slot.before);
  errno = saved_errno;
}

void Install(int sig) {
  Slot& slot = slots[sig];
  if (slot.installed.exchange(true, std::memory_order_acq_rel)) return;
  // The handler reads slot.before, so it is stored before the handler is in place.
  if (!SigGetAction(sig, &slot.before) || !SigInstall(sig, &Handler, nullptr)) {
    Throw("signal cannot be caught");
  }
}

}  // namespace

constinit Hook<void(const G*, const SigCtx*, bool)> signal_report_hook{&HeaderOnly};

void SignalRegister(int sig, SignalFn fn) {
  if (sig < 1 || sig >= kSignals) Throw("no such signal");
  for (std::atomic<SignalFn>& slot : slots[sig].fns) {
    SignalFn none = nullptr;
    // pairs with: CallRegistered
    if (slot.compare_exchange_strong(none, fn, std::memory_order_acq_rel)) {
      Install(sig);
      return;
    }
  }
  Throw("too many signal functions");
}

bool AnotherHandlerBlocks(int sig) {
  for (int other = 1; other < kSignals; ++other) {
    struct sigaction action {};
    if (other == sig || !SigGetAction(other, &action)) continue;
    const bool ours = (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &Handler;
    // Ours blocks everything, also while it calls the application's.
    const struct sigaction& applications = ours ? slots[other].before : action;
    if (!IsHandler(applications)) continue;
    if (ours || sigismember(&action.sa_mask, sig) != 0) return true;
  }
  return false;
}

void InstallSignals() {
  for (const SigEntry& e : kSigTable) {
    if ((e.flags & kSigInstall) != 0) Install(e.sig);
  }
}

}  // namespace gort::rt
