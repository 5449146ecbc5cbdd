#include "gort/preempt/blocked_call.h"

#include <sys/syscall.h>

#include <cstdint>

namespace gort::rt {

bool MayRepeat(uint64_t number) {
  switch (number) {
    case SYS_close:   // has closed, EINTR or not
    case SYS_wait4:   // made again by the kernel after our signal: another handler has ended it
    case SYS_waitid:  // likewise
    case SYS_rt_sigsuspend:  // ended by the signal that it waited for, perhaps
#ifdef SYS_pause
    case SYS_pause:  // likewise
#endif
    case SYS_rt_sigreturn:
    case SYS_restart_syscall:
      return false;
    default:
      return true;
  }
}

}  // namespace gort::rt
