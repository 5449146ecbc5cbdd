#include "gort/platforms/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "gort/base/throw.h"

namespace gort::rt {

void FutexSleep(std::atomic<uint32_t>* word, uint32_t expected, int64_t timeout_ns) {
  int saved = errno;
  timespec ts;
  timespec* limit = nullptr;
  if (timeout_ns >= 0) {
    ts.tv_sec = timeout_ns / 1'000'000'000;
    ts.tv_nsec = timeout_ns % 1'000'000'000;
    limit = &ts;
  }
  long r = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, limit, nullptr, 0);
  if (r < 0 && errno != EAGAIN && errno != EINTR && errno != ETIMEDOUT) Throw("futex wait failed");
  errno = saved;
}

void FutexWake(std::atomic<uint32_t>* word, int n) {
  int saved = errno;
  // EFAULT is not an error here: see futex.h.
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, nullptr, nullptr, 0);
  errno = saved;
}

}  // namespace gort::rt
