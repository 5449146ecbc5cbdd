// signals/sig_table.h: what each signal is called and what becomes of it.
// What      one table. A signal that is not in it is the application's alone.
// Layer     5. Constants only.                              Go: sigtable in sigtab_linux_generic.go
#ifndef GORT_SIGNALS_SIG_TABLE_H_
#define GORT_SIGNALS_SIG_TABLE_H_

#include <signal.h>

namespace gort::rt {

enum SigFlag : unsigned {
  kSigInstall = 1,         // InstallSignals takes it; others when somebody registers a function
  kSigFault = 2,           // raised by an instruction, which would fault again if just returned to
  kSigReport = 4,          // nobody handles it: report of what the thread ran, exit status 2;
                           // on a thread without a G the default action
  kSigDumpAll = 8,         // nobody handles it: report of all goroutines, exit status 2
  kSigUnblock = 16,        // every M lets it through, whatever mask the process was started with
  kSigDefaultIgnore = 32,  // the default action is to do nothing
  kSigDefaultAfter = 64,   // the report is of goroutines only, and the default action follows it
};

struct SigEntry {
  int sig;
  const char* name;
  const char* text;
  unsigned flags;
};

// Not here on purpose: SIGTRAP and SIGSYS (debuggers' and sandboxes'), SIGPROF (profilers').
inline constexpr SigEntry kSigTable[] = {
    {SIGSEGV, "SIGSEGV", "segmentation violation",
     kSigInstall | kSigFault | kSigReport | kSigUnblock},
    {SIGBUS, "SIGBUS", "bus error", kSigInstall | kSigFault | kSigReport | kSigUnblock},
    {SIGFPE, "SIGFPE", "floating-point exception",
     kSigInstall | kSigFault | kSigReport | kSigUnblock},
    {SIGILL, "SIGILL", "illegal instruction", kSigInstall | kSigFault | kSigReport | kSigUnblock},
    {SIGABRT, "SIGABRT", "abort", kSigInstall | kSigReport | kSigDefaultAfter},
    {SIGQUIT, "SIGQUIT", "quit", kSigInstall | kSigDumpAll},
    {SIGURG, "SIGURG", "urgent I/O condition", kSigUnblock | kSigDefaultIgnore},
    {SIGCHLD, "SIGCHLD", "child status has changed", kSigDefaultIgnore},
    {SIGWINCH, "SIGWINCH", "window size change", kSigDefaultIgnore},
    {SIGCONT, "SIGCONT", "continue", kSigDefaultIgnore},
};

// Null: not in the table.
constexpr const SigEntry* SigEntryOf(int sig) {
  for (const SigEntry& e : kSigTable) {
    if (e.sig == sig) return &e;
  }
  return nullptr;
}

}  // namespace gort::rt

#endif  // GORT_SIGNALS_SIG_TABLE_H_
