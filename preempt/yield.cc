// preempt/yield.cc: sched_yield(2) of a goroutine.
// What      locks of others wait by calling sched_yield until the owner has gone on. On a thread that
//           keeps its P the owner never would, where it waits for a P. So the caller gives its P
//           away, if somebody waits for it, and asks the system to run others.
// How       this definition takes the place of the C library's, for the program and for its shared
//           libraries. (std::this_thread::yield and pthread_yield call sched_yield.)
// Layer     7. Any thread.
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gort/proc/stay.h"

extern "C" int sched_yield() noexcept {
  gort::rt::YieldP();
  return static_cast<int>(syscall(SYS_sched_yield));
}
