#include "gort/runtime/internal/boot.h"

#include <signal.h>

#include <atomic>
#include <cstdlib>

#include "gort/base/godebug.h"
#include "gort/base/throw.h"
#include "gort/gmp/check.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/leak/internal/environment.h"
#include "gort/netpoll/internal/netpoll.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/cpu.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/thread.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/boot.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/profile/internal/environment.h"
#include "gort/runtime/internal/terminate.h"
#include "gort/signals/signals.h"
#include "gort/stack/internal/overflow.h"
#include "gort/stack/internal/overflow_report.h"
#include "gort/stack/internal/stack_layout.h"
#include "gort/sysmon/sysmon.h"
#include "gort/timer/internal/timers.h"
#include "gort/trace/internal/session.h"
#include "gort/traceback/debug_fields.h"
#include "gort/traceback/frame_printer.h"
#include "gort/traceback/lines.h"
#include "gort/traceback/running.h"
#include "gort/traceback/traceback.h"

namespace gort::rt {
namespace {

constinit const BootMain* boot_main = nullptr;

// Stores a value through Setg, reads it back from the variable, and the other way round. Go: the
// 0x123 in rt0_go
void TlsProof() {
  G* const probe = reinterpret_cast<G*>(uintptr_t{0x123});
  Setg(probe);
  G* volatile* other_way = const_cast<G* volatile*>(&gort_tls_g);
  if (*other_way != probe) abort();
  *other_way = nullptr;
  if (Getg() != nullptr) abort();
}

constinit int boot_argc = 0;
constinit char** boot_argv = nullptr;

void Args() {
  sched.argc = boot_argc;
  sched.argv = boot_argv;
}

void OsInit() {
  ncpu = DefaultProcs();
  PageSize();
}

// Whether threads have left goroutines or timers while there was no M to wake. Queueing takes the
// lock: who queues a goroutine later sees main_started, and wakes an M.
bool WorkIsWaiting() {
  if (Getg()->m->p.load(std::memory_order_relaxed)->timer0_when.load() != 0) return true;
  LockGuard l(&sched.lock);
  return sched.runqsize.load(std::memory_order_relaxed) != 0;
}

// Go: runtime.main
void MainGoroutine() {
  MarkMain();
  sched.main_started.store(true);
  if (WorkIsWaiting()) WakeP();  // else a thread would be started for nothing
  InitStep("sysmon", [] { OnSystemStack([] { NewM(&Sysmon, nullptr, -1); }); });
  // During initialisation the first goroutine keeps its thread.
  LockOSThread();
  InstallTerminateHandler();
  UnlockOSThread();
  sched.runtime_init_time = Nanotime();
  PrintInitTrace();
  if (godebug.trace[0] != '\0') SessionFromEnvironment(godebug.trace);
  ProfilesFromEnvironment();
  LeaksFromEnvironment();
  int result = boot_main->run(boot_main->arg);
  EndLocals(Getg());  // before the process exits: what is static may be gone after
  boot_main->done(boot_main->arg, result);
}

// With pre-emption's signal: every M lets it through, and by default it is ignored.
bool RequestStack(int tid) {
  const int sig = PreemptSignal();
  // Only now: a program that never reports keeps the signal if nothing is pre-empted.
  static constinit std::atomic<bool> registered{false};
  if (!registered.exchange(true)) SignalRegister(sig, &AnswerStackRequest);
  return ThreadKill(tid, sig);
}

void InstallHooks() {
  TimersInstall();
  NetpollInstall();
  KeepDebugFields();
  source_lines_hook.Set(&LinesOf);
  fatal_report_hook.Set(&FatalReport);
  stack_request_hook.Set(&RequestStack);
  signal_report_hook.Set(&TracebackReport);
  overflow_traceback_hook.Set(&TracebackReport);
  InstallSignals();
  SignalRegister(SIGSEGV, &StackOverflowHandler);
  SignalRegister(SIGBUS, &StackOverflowHandler);
  PreemptInstall();
}

void NewMain() {
  GoOptions options;
  options.stack_size = kMainStack;
  Go(options, &MainGoroutine);
  // The main goroutine runs before those of the global queue, which threads made before there was a
  // scheduler: the global queue has its first turn after kTurnPeriod decisions. Nobody could
  // interrupt those goroutines until the main one starts sysmon and allows more threads.
}

}  // namespace

void RtGo(int argc, char** argv, const BootMain* main) {
  InitStep("cpuid", &CpuInit);
  InitStep("tls", &TlsProof);
  InitStep("g0m0", &M0Init);
  InitStep("check", &Check);
  boot_argc = argc;
  boot_argv = argv;
  boot_main = main;
  InitStep("args", &Args);
  InitStep("osinit", &OsInit);
  InitStep("schedinit", &SchedInit);
  InitStep("hooks", &InstallHooks);
  InitStep("newproc", &NewMain);
  InitStep("mstart", [] { Setg(m0.g0); });
  MStart(&m0);
}

namespace {

struct Program {
  int argc;
  char** argv;
  int (*main)(int, char**);
};

}  // namespace

void RunProgram(int argc, char** argv, int (*main)(int, char**)) {
  Program program{argc, argv, main};
  BootMain boot{
      [](void* arg) {
        auto* p = static_cast<Program*>(arg);
        return p->main(p->argc, p->argv);
      },
      // The other goroutines go on while exit handlers and static destructors run, once.
      [](void*, int result) { exit(result); },
      &program,
  };
  MainBegin();
  RtGo(argc, argv, &boot);
  Throw("mstart returned on m0");
}

}  // namespace gort::rt
