// preempt/libc_calls.cc: two functions of the C library, made fit for goroutines.
// What      sched_yield   locks of others wait by calling it until the owner has gone on. On a thread
//                         that keeps its P the owner never would, where it waits for a P. So the
//                         caller gives its P away, if somebody waits for it, and asks the system to
//                         run others. (std::this_thread::yield and pthread_yield call it.)
//           syscall       as the C library's, but a call that our signal has ended can be made again
//                         (blocked_call.h): number and arguments stay where the handler finds them.
// How       these definitions take the place of the C library's, for the program and for its shared
//           libraries.
// Layer     7. Any thread.
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>

#include "gort/base/attributes.h"
#include "gort/preempt/blocked_call.h"
#include "gort/proc/stay.h"

extern "C" int sched_yield() noexcept {
  gort::rt::YieldP();
  return static_cast<int>(syscall(SYS_sched_yield));
}

// The caller may have passed fewer arguments than are read here, and handed on, unused.
extern "C" GORT_NO_ASAN long syscall(long number, ...) noexcept {
  constexpr long kMostErrors = 4096;
  va_list list;
  va_start(list, number);
  long args[6];
  for (long& arg : args) arg = va_arg(list, long);
  va_end(list);
  const long result =
      gort_repeatable_call(number, args[0], args[1], args[2], args[3], args[4], args[5]);
  if (result >= 0 || result <= -kMostErrors) return result;
  errno = static_cast<int>(-result);
  return -1;
}
