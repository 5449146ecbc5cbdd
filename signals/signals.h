// signals/signals.h: one handler for all signals that gort has to do with.
// What      a signal goes to the functions registered for it, the last registered first; then to
//           the handler that the application had installed before; then it has the effect that
//           sig_table.h names (a report and exit status 2, on threads that run goroutines); then
//           its default action. A fault that is nobody's is returned to with the default action in
//           place, so that the core dump shows the faulting instruction.
//           A sanitizer's handler is an application's: its report of a fault is the better one.
// Layer     5.                                            Go: sighandler, sigfwdgo (signal_unix.go)
// Invariant errno, and the current G, are for the interrupted code as they were. While a registered
//           function runs, Getg() is the M's gsignal. On threads with a signal stack (every M) it
//           runs there, so a fault of a stack that is full is handled too.
// Contract  | call              | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | SignalRegister    |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | MInitSignalStack  |   -    | x  |  x   |    -    |    x    |   -   |  from OS  |
//           | MDropSignalStack  |   -    | x  |  x   |    -    |    x    |   -   |     -     |
#ifndef GORT_SIGNALS_SIGNALS_H_
#define GORT_SIGNALS_SIGNALS_H_

#include <signal.h>

#include "gort/base/hook.h"
#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/platforms/sigctx.h"

namespace gort::rt {

// Runs in the handler, every signal but faults blocked: async-signal-safe calls only. gp: whose
// code was interrupted (a g0 while the scheduler ran); null: the thread has none. True: handled,
// resume at ctx as it is then.
using SignalFn = bool (*)(siginfo_t* info, SigCtx& ctx, G* gp);

// Registers fn for sig, before those registered earlier, and takes the signal over if that was not
// done yet. At most kMaxSignalFns per signal: fatal "too many signal functions". Never undone.
inline constexpr int kMaxSignalFns = 4;
void SignalRegister(int sig, SignalFn fn);

// Takes over the signals that the table says are to be taken. Called once, by boot.cc of
// runtime. Go: initsig
void InstallSignals();

// Prints the interrupted goroutine (all: then the others); the default prints the header alone. Set
// by runtime/internal/boot.cc to TracebackReport. Runs in the handler.
extern Hook<void(const G* gp, const SigCtx* ctx, bool all)> signal_report_hook;

// Gives the calling thread, which runs mp, a signal stack with a guard, and its G, mp->gsignal;
// those of an earlier thread of mp are used again. Then the thread's signal mask becomes the one of
// the process's start (m0.sigmask), without the signals that every M lets through.
// Fatal: no memory. Go: mpreinit, minitSignals
void MInitSignalStack(M* mp);
// Takes it away again: the thread has the signal stack that it had before. Stack and gsignal stay
// with mp. Called by the thread itself, before it ends. Go: unminitSignals
void MDropSignalStack(M* mp);

}  // namespace gort::rt

#endif  // GORT_SIGNALS_SIGNALS_H_
