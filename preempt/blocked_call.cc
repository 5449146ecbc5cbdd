#include "gort/preempt/blocked_call.h"

#include <sys/syscall.h>

#include <cstdint>

namespace gort::rt {
namespace {

constexpr long kCalls[] = {
    SYS_futex,
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_accept,
    SYS_accept4,
    SYS_connect,
    SYS_flock,
    SYS_fcntl,
    SYS_wait4,
    SYS_waitid,
    SYS_openat,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ppoll,
    SYS_pselect6,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_epoll_pwait,
    SYS_rt_sigtimedwait,
// Calls that newer CPUs came without.
#ifdef SYS_open
    SYS_open,
#endif
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_select
    SYS_select,
#endif
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
};

}  // namespace

bool BlockedCallIs(uint64_t number) {
  for (long call : kCalls) {
    if (number == static_cast<uint64_t>(call)) return true;
  }
  return false;
}

}  // namespace gort::rt
