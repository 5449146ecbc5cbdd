// traceback/traceback.h: what a goroutine was doing, for people.
// What      Go's form: a header line, two lines a frame, who created it, an empty line.
//
//             goroutine 7 [chan receive, 5 minutes]:
//             worker(...)
//                 server/worker.cc:41 +0x1c
//             created by main() in goroutine 1
//                 server/main.cc:12 +0x80
//
//           With debug information a function has its line and the distance of the address from the
//           function's beginning; an inlined one has no distance. Without, it has an object with an
//           offset (/path/to/program+0x2f1c), which is what `addr2line -e /path/to/program 0x2f1c` takes.
// Layer     5. Functions that print to a Printer allocate nothing and take no lock of ours; those
//           marked (signal) may run in signal handlers.                      Go: traceback.go
// Freezing  another goroutine's stack is read while its status carries the scan bit, which keeps
//           every M from running it. A goroutine that runs on another thread is walked by that
//           thread for a fatal report (running.h), and named for StackText.
#ifndef GORT_TRACEBACK_TRACEBACK_H_
#define GORT_TRACEBACK_TRACEBACK_H_

#include <cstdint>
#include <string>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/platforms/sigctx.h"

namespace gort::rt {

// Maps the program's file, so that the first fatal report need not open it. Go: tracebackinit
void TracebackInit();

// From here on tracebacks show the functions and the goroutines of the runtime too. Any thread.
// Go: GOTRACEBACK=system
void ShowAllFrames();
// From here on every fatal report shows all goroutines. Any thread. Go: GOTRACEBACK=all
void ReportAllGoroutines();

// "goroutine 7 [chan receive, 2 minutes, locked to thread] {request=42}:" and a newline. labels: they are
// printed, if it has any; then gp is the caller's, or frozen. (signal) Go: goroutineheader
void PrintGoroutineHeader(Printer& p, const G* gp, bool labels = true);
// The frames of gp: the calling context if it is the caller's own (or the caller runs on that
// thread's system stack on its behalf), a parked context otherwise. At most 100 frames: the
// innermost 50, and the outermost 50. Requires: gp is the caller's, or frozen. (signal)
void PrintTraceback(Printer& p, G* gp);
// "created by main() in goroutine 1" and its place; nothing for goroutine 1, and where the creator
// is not known. (signal) Go: printcreatedby
void PrintCreatedBy(Printer& p, const G* gp);
// Every goroutine but me and the runtime's own, each after an empty line, oldest first (in no order
// when there are more than a few thousand). ask: the process is about to end, so that threads that
// run goroutines may be interrupted for their stacks (running.h). (signal) Go: tracebackothers
void TracebackOthers(Printer& p, const G* me, bool ask);

// What fatal_report_hook shall be: an empty line, the current goroutine (or the system stack that
// the fault is on), then, when all, the others; these alone when the scheduler itself reports of all
// (a deadlock). (signal)
void FatalReport(bool all);
// The same for a fault that a signal reported, without the empty line: gp (null: a thread without
// one) was interrupted at ctx (null: the caller's own context). What overflow_traceback_hook and
// signal_report_hook shall be. (signal)
void TracebackReport(const G* gp, const SigCtx* ctx, bool all);
// The text of the above as gort::Stack returns it. Allocates; not in signal handlers. Go: Stack
std::string StackText(bool all);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_TRACEBACK_H_
