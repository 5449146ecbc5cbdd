#include "gort/platforms/cpu_timer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace gort::rt {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// Its address tells our timers from others.
constinit char mark = 0;

class SavedErrno {
 public:
  SavedErrno() : saved_(errno) {}
  ~SavedErrno() { errno = saved_; }
  SavedErrno(const SavedErrno&) = delete;
  SavedErrno& operator=(const SavedErrno&) = delete;

 private:
  const int saved_;
};

// The kernel's name of a thread's clock (CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED).
clockid_t ClockOf(int tid) {
  return static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3) | 6);
}

// As linux/dirent.h has it, which clashes with dirent.h.
struct Entry {
  uint64_t inode;
  int64_t offset;
  uint16_t bytes;
  uint8_t type;
  char name[];
};

// 0: the name is no number.
int Number(const char* name) {
  int n = 0;
  for (; *name >= '0' && *name <= '9'; ++name) n = n * 10 + (*name - '0');
  return *name == '\0' ? n : 0;
}

// Takes the numbers among the entries in [at, end).
int TakeIds(const char* at, const char* end, int* out, int max) {
  int n = 0;
  while (at < end && n < max) {
    const auto* e = reinterpret_cast<const Entry*>(at);
    if (const int tid = Number(e->name); tid != 0) out[n++] = tid;
    at += e->bytes;
  }
  return n;
}

}  // namespace

// The system calls themselves: the C library keeps threads of its own for some kinds of timers.
int CpuTimerStart(int tid, int sig, int64_t period_ns, int* id) {
  SavedErrno saved;
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = sig;
  event.sigev_value.sival_ptr = &mark;
  event._sigev_un._tid = tid;
  if (syscall(SYS_timer_create, ClockOf(tid), &event, id) != 0) return errno;
  struct itimerspec when;
  when.it_interval.tv_sec = period_ns / kSecond;
  when.it_interval.tv_nsec = period_ns % kSecond;
  when.it_value = when.it_interval;
  if (syscall(SYS_timer_settime, *id, 0, &when, nullptr) == 0) return 0;
  const int error = errno;
  syscall(SYS_timer_delete, *id);
  return error;
}

void CpuTimerStop(int id) {
  SavedErrno saved;
  syscall(SYS_timer_delete, id);
}

int CpuTimerTicks(const siginfo_t& info) {
  if (info.si_code != SI_TIMER || info.si_value.sival_ptr != &mark) return 0;
  return 1 + (info.si_overrun > 0 ? info.si_overrun : 0);
}

bool ProcessTimerStart(int64_t period_ns) {
  SavedErrno saved;
  struct itimerval now;
  if (getitimer(ITIMER_PROF, &now) != 0 || now.it_value.tv_sec != 0 || now.it_value.tv_usec != 0) {
    return false;
  }
  now.it_interval.tv_sec = period_ns / kSecond;
  now.it_interval.tv_usec = period_ns % kSecond / 1000;
  now.it_value = now.it_interval;
  return setitimer(ITIMER_PROF, &now, nullptr) == 0;
}

void ProcessTimerStop() {
  SavedErrno saved;
  const struct itimerval none = {};
  setitimer(ITIMER_PROF, &none, nullptr);
}

int ProcessTimerTicks(const siginfo_t& info) { return info.si_code == SI_KERNEL ? 1 : 0; }

int ThreadIds(int* out, int max) {
  SavedErrno saved;
  const int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  alignas(Entry) char buffer[4096];
  int n = 0;
  while (true) {
    const long got = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
    if (got <= 0) break;
    n += TakeIds(buffer, buffer + got, out + n, max - n);
  }
  close(fd);
  return n;
}

}  // namespace gort::rt
