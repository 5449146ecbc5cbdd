// traceback/running.h: the stack of a goroutine that runs on another thread.
// What      a fatal report asks the thread by a signal; its handler stores the frames that it
//           interrupted, and the reporter prints them. The wait is bounded: a thread that blocks
//           the signal, or hangs, is given up, and after a few of them no more are asked.
//
//             reporter                         the other thread
//             kIdle -> kAsked, signal  ------> handler: kAsked -> kAnswering; frames; -> kAnswered
//             waits; prints            <------
//
// Layer     5. Package-internal, but for AnswerStackRequest and stack_request_hook.
// Who       one reporter at a time: whoever holds the right to the fatal report (base/throw.h).
// In Go     a report with GOTRACEBACK=crash passes SIGQUIT on from thread to thread. Here one thread
//           prints, so that the report has one order and one end.
#ifndef GORT_TRACEBACK_RUNNING_H_
#define GORT_TRACEBACK_RUNNING_H_

#include <signal.h>

#include "gort/base/hook.h"
#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/platforms/sigctx.h"
#include "gort/traceback/frame_printer.h"

namespace gort::rt {

// Sends the thread with this id the signal whose handler calls AnswerStackRequest. False: there is
// no such thread or no such signal. Runs in signal handlers. The default sends none; set by
// runtime/internal/boot.cc.
extern Hook<bool(int tid)> stack_request_hook;

// A SignalFn (signals/signals.h). gp: what was interrupted. Never takes the signal: false.
bool AnswerStackRequest(siginfo_t* info, SigCtx& ctx, G* gp);

// Asks the thread on which gp runs and adds the frames to *out. False: gp runs nowhere (any more),
// or its thread does not answer. (signal)
bool RunningFrames(const G* gp, FramePrinter* out);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_RUNNING_H_
