// runtime/runtime.h: gort without channels and network: goroutines and the scheduler.
// What      Go, Run, Gosched, Goexit, GOMAXPROCS, SetMaxThreads, LockOSThread, Blocking.
// Layer     13. Public: #include "gort/runtime.h".
// Contract  | call                      | goroutine | foreign thread |
//           | Go, Run, GOMAXPROCS       |     x     |       x        |
//           | SetMaxThreads             |     x     |       x        |
//           | Gosched                   |     x     |  yields the OS thread |
//           | Goexit                    |     x     |     fatal      |
//           | LockOSThread, Unlock…     |     x     |  no effect     |
//           | Blocking                  |     x     |  calls f       |
//           None may be called from a signal handler.
#ifndef GORT_RUNTIME_RUNTIME_H_
#define GORT_RUNTIME_RUNTIME_H_

#include <cstdint>
#include <string>
#include <utility>

#include "gort/base/panic.h"
#include "gort/proc/go.h"
#include "gort/runtime/internal/run.h"

// Defined by a program that links //rt0:main: its main function, which runs as the first goroutine.
// Its result is the exit status.
int gort_main(int argc, char** argv);

namespace gort {

namespace rt {
// proc/proc.h; declared here so that users see no more of the scheduler than they need.
void EnterSyscall();
void ExitSyscall();
}  // namespace rt

// Lets other goroutines run. Go: runtime.Gosched
void Gosched();
// Ends the calling goroutine. Destructors of its frames run, and catch (...) does not stop it. When
// main calls it the program goes on until the other goroutines end, and then dies of a deadlock.
[[noreturn]] void Goexit();
// Sets how many goroutines may run at once, at most 1024, and returns the previous number; n < 1
// only asks. Stops the world to change it. Before the runtime starts, sets with how many it starts.
int GOMAXPROCS(int n);
// Sets how many threads goroutines may use, the runtime's own included, and returns the number before,
// 10000 at first. A goroutine that is cut off in the middle of computing keeps a thread: of such ones
// as many wait as two fifths of this number, 4000 at most. A program that needs more threads for
// calls that block ends: "thread exhaustion". Go: debug.SetMaxThreads
int SetMaxThreads(int n);
// CPUs that this process may use when it started: affinity mask and cgroup quota. At least 1.
int NumCPU();
// Goroutines that exist now; the caller is one of them unless it is a foreign thread.
int NumGoroutine();
// Number of the calling goroutine, for logs; 0 outside of one.
uint64_t Goid();
// Wires the calling goroutine to its thread until as many UnlockOSThread calls. A goroutine that
// ends locked ends its thread (the process's first thread sleeps for good instead). What it changes
// of its thread (affinity, namespaces, ids), no thread of the runtime inherits.
void LockOSThread();
void UnlockOSThread();
// The calling goroutine's (all: every goroutine's) header and traceback, as in a fatal report; but of
// goroutines that run on other threads at that moment only the headers.
std::string Stack(bool all);

// Calls f, which may block in the kernel, and returns its result; the other goroutines go on
// meanwhile. f may call Blocking, Go and functions that never wait. One that parks is fatal:
// "goroutine parked inside Blocking". An exception that f throws goes on to the caller.
template <class F>
auto Blocking(F&& f) -> decltype(f()) {
  struct Scope {
    Scope() { rt::EnterSyscall(); }
    ~Scope() { rt::ExitSyscall(); }
  } scope;
  return std::forward<F>(f)();
}

}  // namespace gort

#endif  // GORT_RUNTIME_RUNTIME_H_
