// platforms/thread.h: OS threads.
// What      the C library's threads, because C++ code needs its thread-local storage.
// Layer     2. Any thread; errno is left as it was. ThreadCreate, ThreadDetach,
//           ThreadStackBounds and ThreadSetName: not from signal handlers (they allocate or take
//           the C library's locks). The others: anywhere.                    Go: os_linux.go
#ifndef GORT_PLATFORMS_THREAD_H_
#define GORT_PLATFORMS_THREAD_H_

#include <cstdint>

namespace gort::rt {

// A created thread, to be let go with ThreadDetach: the C library's pthread_t. 0: none.
using ThreadHandle = uintptr_t;

// Starts fn(arg) on a new thread with every signal blocked (the new thread unblocks what it wants)
// and 256 KiB of stack (or the system's default, if that is less), beside the program's thread-local
// variables. Returns 0, or an errno value with *out = 0 (EAGAIN: the limit of `ulimit -u` or of
// memory). Go: newosproc.
int ThreadCreate(ThreadHandle* out, void (*fn)(void*), void* arg);
// Lets the thread clean up after itself when it ends, before or after this call; the handle is
// dead.
void ThreadDetach(ThreadHandle h);
// Kernel id of the calling thread: one system call, and the answer is not cached. Go: gettid.
int ThreadId();
int ProcessId();
// Usable bytes [*lo, *hi) of the calling thread's stack, without its guard. On the first thread *lo
// follows `ulimit -s`, and the pages below the present depth may not exist yet. False: unknown.
// Go: minit, asmcgo's x_cgo_init.
bool ThreadStackBounds(uintptr_t* lo, uintptr_t* hi);
// Gives the rest of the time slice to another thread. Go: osyield.
void ThreadYield();
// Sleeps ns nanoseconds; less when a signal handler runs; not at all for ns <= 0. Go: usleep.
void ThreadSleep(int64_t ns);
// Sends a signal to a thread of this process; false when it is gone. See tgkill(2). Go: signalM.
bool ThreadKill(int tid, int sig);
// Threads of this process now, and before any of the program's own code ran (an emulator has some
// of its own, and is asked in static programs only); 0: unknown. One system call; anywhere.
int ThreadCount();
int ThreadCountAtEntry();
// The CPU time of a thread of this process, ns; -1: it is gone. One system call.
int64_t ThreadCpuNs(int tid);
// False: the thread runs, or would if a CPU were free. True: it waits in the kernel. unknown: the answer
// where the system does not tell. If it is asleep it has stopped before, and goes on after, the
// kernel's look at it, which is made under the lock that both take: what the caller wrote before the
// call it sees when it goes on. Three system calls; reads /proc.
bool ThreadIsAsleep(int tid, bool unknown);
// Every thread of this process that runs executes a full barrier between the call and its return;
// one that does not run has executed one when it stopped. Requires: ThreadsBarrierInit returned
// true, which is false where the system has no such call. False: nothing has happened, because the
// process has forbidden itself the call since (seccomp). See membarrier(2).
bool ThreadsBarrierInit();
[[nodiscard]] bool ThreadsBarrier();
// Names the calling thread for debuggers; the first 15 bytes are kept.
void ThreadSetName(const char* name);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_THREAD_H_
