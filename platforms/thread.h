// platforms/thread.h: OS threads.
// Layer     2. Any thread. errno is left as it was.
#ifndef GORT_PLATFORMS_THREAD_H_
#define GORT_PLATFORMS_THREAD_H_

#include <cstdint>

namespace gort::rt {

// A created thread; joinable. Null handle: none.
using ThreadHandle = uintptr_t;

// Starts fn(arg) on a new thread with every signal blocked (the new thread unblocks what it wants).
// Returns 0 or an errno value (EAGAIN: the limit of `ulimit -u` or of memory). Go: newosproc.
int ThreadCreate(ThreadHandle* out, void (*fn)(void*), void* arg);
// Reaps a thread if it has ended; false while it is still running.
bool ThreadTryJoin(ThreadHandle h);
// Kernel id of the calling thread, cached by nobody.
int ThreadId();
int ProcessId();
// Bounds of the calling thread's stack. False: unknown.
bool ThreadStackBounds(uintptr_t* lo, uintptr_t* hi);
// Gives the rest of the time slice to another thread. Go: osyield.
void ThreadYield();
void ThreadSleep(int64_t ns);
// Sends a signal to a thread of this process; false when it is gone. See tgkill(2).
bool ThreadKill(int tid, int sig);
// Names the calling thread for debuggers; at most 15 bytes are kept.
void ThreadSetName(const char* name);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_THREAD_H_
