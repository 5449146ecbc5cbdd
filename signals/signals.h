// signals/signals.h: one handler for all signals that gort has to do with.
// What      a signal goes to the first of these that takes it:
//             1. the functions registered for it, the last registered first;
//             2. the handler that the application had installed before;
//             3. those who wait for it (signal_notify_hook), who hear of it before step 2 too;
//             4. the report that sig_table.h names, and exit status 2 (on threads that run
//                goroutines); after that of SIGABRT, which abort() and assert() send, step 5;
//             5. the default action. To a fault that reaches this step the handler returns with
//                the default action in place, so that the core dump shows the faulting instruction.
//           A sanitizer's handler counts as the application's: its report of a fault is the better
//           one.
// Layer     5.                                            Go: sighandler, sigfwdgo (signal_unix.go)
// Invariant after the handler errno and the current G are what they were for the interrupted code.
//           While a registered function runs, Getg() is the M's gsignal. An M has a signal stack
//           and the handler runs there, so that a fault on a full stack is handled too.
// Contract  | call              | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | SignalRegister    |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | SignalTake, …Back |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | MInitSignalStack  |   -    | x  |  x   |    -    |    x    |   -   |  from OS  |
//           | MDropSignalStack  |   -    | x  |  x   |    -    |    x    |   -   |     -     |
#ifndef GORT_SIGNALS_SIGNALS_H_
#define GORT_SIGNALS_SIGNALS_H_

#include <signal.h>

#include "gort/base/hook.h"
#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/platforms/sigctx.h"
#include "gort/platforms/signal.h"

namespace gort::rt {

// Runs in the handler, every signal but faults blocked: async-signal-safe calls only. gp: whose
// code was interrupted (a g0 while the scheduler ran); null: the thread has none. True: handled,
// resume at ctx as it is then.
using SignalFn = bool (*)(siginfo_t* info, SigCtx& ctx, G* gp);

// Registers fn for sig, before those registered earlier, and takes the signal over if that was not
// done yet. At most kMaxSignalFns per signal: fatal "too many signal functions". Never undone.
inline constexpr int kMaxSignalFns = 4;
void SignalRegister(int sig, SignalFn fn);

// Takes sig over from whoever has it now, until SignalGiveBack: that puts back what was there,
// unless somebody has installed a handler meanwhile. Both do nothing for a signal that this package
// has anyhow (kSigInstall, SignalRegister). Calls for one signal take turns. False: sig cannot be
// caught. Go: enableSignal, disableSignal
bool SignalTake(int sig);
void SignalGiveBack(int sig);

// Called in the handler for a signal that no registered function took. True: somebody waits for it,
// and no default action follows. Set by os/.
extern Hook<bool(int sig)> signal_notify_hook;

// Whether a handler of the application's, for a signal other than sig, blocks sig while it runs.
// Async-signal-safe; one system call for each signal.
bool AnotherHandlerBlocks(int sig);

// Takes over the signals that sig_table.h marks kSigInstall. Called once, by
// runtime/internal/boot.cc. Go: initsig
void InstallSignals();

// Prints the interrupted goroutine (all: then the others); the default prints the header alone. Set
// by runtime/internal/boot.cc to TracebackReport. Runs in the handler.
extern Hook<void(const G* gp, const SigCtx* ctx, bool all)> signal_report_hook;

// Gives the calling thread, which runs mp, a signal stack with a guard, and its G, mp->gsignal. If
// mp had a thread before, that one's are used again. Then the thread's signal mask becomes the mask
// that the process was started with (m0.sigmask), without the signals that every M lets through.
// Fatal: no memory. Go: mpreinit, minitSignals
void MInitSignalStack(M* mp);
// That mask: of the signals that an M's thread blocks as long as the program changes nothing.
SigSet MSignalMask();
// Gives the thread the signal stack back that it had before. The M's stack and gsignal stay with
// mp. Called by the thread itself, before it ends. Go: unminitSignals
void MDropSignalStack(M* mp);

}  // namespace gort::rt

#endif  // GORT_SIGNALS_SIGNALS_H_
