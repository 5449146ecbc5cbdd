#include "gort/signals/signals.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "gort/base/throw.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"
#include "gort/signals/sig_table.h"

namespace gort::rt {
namespace {

constexpr int kSignals = 65;  // 1 .. 64 on Linux

// What the application has done with a signal, in one word, so that a handler that runs while
// SignalTake changes it sees the old or the new.
class Action {
 public:
  constexpr Action() = default;
  explicit Action(const struct sigaction& sa)
      : bits_((sa.sa_flags & SA_SIGINFO) != 0
                  ? kSigInfo | reinterpret_cast<uintptr_t>(sa.sa_sigaction)
                  : reinterpret_cast<uintptr_t>(sa.sa_handler)) {}
  bool operator==(const Action& other) const { return bits_ == other.bits_; }
  // Whether it names a function. (A sigaction of zeros may have SA_SIGINFO.)
  bool IsHandler() const { return Address() != DefaultBits() && Address() != IgnoreBits(); }
  bool Ignores() const { return Address() == IgnoreBits(); }
  void Call(int sig, siginfo_t* info, void* ucontext) const {
    if ((bits_ & kSigInfo) != 0) {
      reinterpret_cast<SigHandler>(Address())(sig, info, ucontext);
    } else {
      reinterpret_cast<void (*)(int)>(Address())(sig);
    }
  }

 private:
  static constexpr uint64_t kSigInfo = uint64_t{1} << 63;  // no address of user space has it
  static uintptr_t DefaultBits() { return reinterpret_cast<uintptr_t>(SIG_DFL); }
  static uintptr_t IgnoreBits() { return reinterpret_cast<uintptr_t>(SIG_IGN); }
  uintptr_t Address() const { return static_cast<uintptr_t>(bits_ & ~kSigInfo); }

  uint64_t bits_ = 0;
};

// The actions that our handler replaced, one for each time that it was installed. A handler that
// was installed over ours may call ours as the one that was there before; so the earlier actions
// stay known while that handler is there.
class Before {
 public:
  // Before the handler is in place. With no room the last is forgotten.
  void Push(Action action) {
    latest_.store(action, std::memory_order_release);  // pairs with: Latest
    const int n = n_.load(std::memory_order_relaxed);
    if (n > 0 && At(n - 1) == action) return;
    found_[n < kMost ? n : kMost - 1].store(action, std::memory_order_relaxed);
    n_.store(n < kMost ? n + 1 : kMost, std::memory_order_release);  // pairs with: Ago
  }
  // What was found last, also when it is in its place again: a handler of ours may be under way.
  Action Latest() const { return latest_.load(std::memory_order_acquire); }  // pairs with: Push
  // Whether that has happened.
  bool LatestIsBack() const {
    Action top;
    return !Ago(0, &top) || !(top == Latest());
  }
  // What was found last is in its place again.
  void Pop() { n_.store(n_.load(std::memory_order_relaxed) - 1, std::memory_order_release); }
  // What was found before that, `times` ago. False: so often it did not come.
  bool Ago(uintptr_t times, Action* action) const {
    const auto n = static_cast<uintptr_t>(n_.load(std::memory_order_acquire));  // pairs with: Push
    if (times >= n) return false;
    *action = At(n - 1 - times);
    return true;
  }

 private:
  static constexpr int kMost = 4;
  Action At(uintptr_t i) const { return found_[i].load(std::memory_order_relaxed); }

  std::atomic<Action> latest_{};
  std::atomic<Action> found_[kMost] = {};
  std::atomic<int> n_{0};
};

struct Slot {
  std::atomic<SignalFn> fns[kMaxSignalFns] = {};  // in the order of registering; null: end
  std::atomic<bool> installed{false};             // the thread that sets it installs the handler
  Before before;
  // Of SignalTake and SignalGiveBack, which take turns.
  bool taken = false;
  bool was_installed = false;  // somebody had taken the signal from this package before
  struct sigaction saved = {};
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
  fatal_exit_hook();  // ExitFatal will not do it
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

// The mark of a signal's frame while the application's handler has it: one that came after ours and
// calls it gives us the frame again. It counts how often the signal went on in units of kForwarded.
// kToBack: first to a handler that is in its place again.
enum : uintptr_t { kNew = 0, kNoted = 1, kToBack = 2, kForwarded = 4 };

// The application's handler, if it had one. Go: sigfwd
bool Forward(Action to, int sig, siginfo_t* info, SigCtx& ctx, uintptr_t mark) {
  if (!to.IsHandler()) return false;
  ctx.set_mark(mark + kForwarded);
  to.Call(sig, info, ctx.raw());
  ctx.set_mark(mark);
  return true;
}

// Makes the system do what it does to a process without a handler.
void DefaultAction(const SigEntry* entry, int sig, const siginfo_t* info, Action before) {
  bool fault = IsFault(entry, info);
  bool ignored = before.Ignores() || (entry != nullptr && (entry->flags & kSigDefaultIgnore) != 0);
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

// What nobody handled.
void Unhandled(const SigEntry* entry, int sig, siginfo_t* info, const SigCtx& ctx, const G* gp,
               Action before) {
  if (entry != nullptr && IsOurs(*entry, gp)) Report(*entry, *info, ctx, gp);
  DefaultAction(entry, sig, info, before);
}

// The handler to which we forwarded calls ours, because it was installed over ours: what comes next
// is what was there before.
void HandleChained(const Slot& slot, int sig, siginfo_t* info, SigCtx& ctx, const G* gp) {
  const uintptr_t mark = ctx.mark();
  const uintptr_t times = mark / kForwarded - ((mark & kToBack) != 0 ? 1 : 0);
  Action before;
  if (!slot.before.Ago(times, &before)) return;  // each has had it
  if (!Forward(before, sig, info, ctx, mark) && (mark & kNoted) == 0) {
    Unhandled(SigEntryOf(sig), sig, info, ctx, gp, before);
  }
}

// A fault in a report shall come back to the handler, where BeginFatal ends the process with status
// 2: a blocked fault would kill it.
void UnblockFaults() {
  for (const SigEntry& e : kSigTable) {
    if ((e.flags & kSigFault) != 0) SigUnblock(e.sig);
  }
}

void Handle(Slot& slot, int sig, siginfo_t* info, SigCtx& ctx, G* gp) {
  const int saved_errno = errno;
  const SigEntry* entry = SigEntryOf(sig);
  if (IsFault(entry, info)) UnblockFaults();
  G* gsignal = gp != nullptr && gp->m != nullptr ? gp->m->gsignal : nullptr;
  if (gsignal != nullptr) Setg(gsignal);
  bool handled = CallRegistered(slot, info, ctx, gp);
  const bool noted = !handled && !IsFault(entry, info) && signal_notify_hook(sig);
  // The application's handler may never return (siglongjmp).
  if (gsignal != nullptr) Setg(gp);
  const Action before = slot.before.Latest();
  if (!handled) {
    errno = saved_errno;
    const uintptr_t mark = (noted ? kNoted : kNew) | (slot.before.LatestIsBack() ? kToBack : kNew);
    handled = Forward(before, sig, info, ctx, mark) || noted;
  }
  if (!handled) Unhandled(entry, sig, info, ctx, gp, before);
}

void Handler(int sig, siginfo_t* info, void* ucontext) {
  const int saved_errno = errno;
  SigCtx ctx(ucontext);
  G* gp = Getg();
  if (ctx.mark() == kNew) {
    Handle(slots[sig], sig, info, ctx, gp);
  } else {
    HandleChained(slots[sig], sig, info, ctx, gp);
  }
  errno = saved_errno;
}

bool HasOurHandler(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &Handler;
}

// Makes the handler ours. False: sig cannot be caught.
bool TakeFrom(Slot& slot, int sig, const struct sigaction& now) {
  // The handler reads it, so it is stored before the handler is in place.
  slot.before.Push(Action(now));
  return SigInstall(sig, &Handler, nullptr);
}

void Install(int sig) {
  Slot& slot = slots[sig];
  if (slot.installed.exchange(true, std::memory_order_acq_rel)) return;
  struct sigaction now {};
  if (!SigGetAction(sig, &now)) Throw("signal cannot be caught");
  if (!HasOurHandler(now) && !TakeFrom(slot, sig, now)) Throw("signal cannot be caught");
}

bool NobodyWaits(int) { return false; }

}  // namespace

constinit Hook<void(const G*, const SigCtx*, bool)> signal_report_hook{&HeaderOnly};
constinit Hook<bool(int)> signal_notify_hook{&NobodyWaits};

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

bool SignalTake(int sig) {
  if (sig < 1 || sig >= kSignals) return false;
  Slot& slot = slots[sig];
  struct sigaction now {};
  if (!SigGetAction(sig, &now)) return false;
  if (HasOurHandler(now)) return true;
  slot.saved = now;
  slot.was_installed = slot.installed.load(std::memory_order_acquire);
  slot.taken = TakeFrom(slot, sig, now);
  return slot.taken;
}

void SignalGiveBack(int sig) {
  Slot& slot = slots[sig];
  if (!std::exchange(slot.taken, false)) return;
  // Registered since: the signal stays with this package.
  if (!slot.was_installed && slot.installed.load(std::memory_order_acquire)) return;
  struct sigaction now {};
  if (!SigGetAction(sig, &now) || !HasOurHandler(now)) return;
  SigSetAction(sig, slot.saved);
  slot.before.Pop();
}

bool AnotherHandlerBlocks(int sig) {
  for (int other = 1; other < kSignals; ++other) {
    struct sigaction action {};
    if (other == sig || !SigGetAction(other, &action)) continue;
    const bool ours = HasOurHandler(action);
    // Ours blocks everything, also while it calls the application's.
    const Action applications = ours ? slots[other].before.Latest() : Action(action);
    if (!applications.IsHandler()) continue;
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
