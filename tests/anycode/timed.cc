// tests/anycode/timed.cc: system calls with a time-out that nothing else ends: none may say EINTR.
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

constexpr std::chrono::milliseconds kWait{20};
// The kernel counts some timeouts in ticks, from the last one that it has seen.
constexpr std::chrono::milliseconds kTicks{10};

timespec Timeout() { return {0, std::chrono::nanoseconds(kWait).count()}; }

// Each operation is one call, which returns `want` (or -1 and errno -want) when the time is up.
template <class Call>
Task EndsInTime(const char* name, int want, Call call) {
  return {.work =
              [=](Worker& w) {
                while (w.Next()) {
                  const Clock::time_point start = Clock::now();
                  const int64_t got = call();
                  const int error = errno;
                  if (want < 0) {
                    ExpectCall(-1, got, name);
                    Expect(error == -want, strerrorname_np(error));
                  } else {
                    ExpectCall(want, got, name);
                  }
                  Expect(Clock::now() - start >= kWait - kTicks, "the call ended too early");
                }
              },
          .waits = kWait};
}

Task Nanosleep(int) {
  return EndsInTime("nanosleep", 0, [] {
    const timespec t = Timeout();
    return nanosleep(&t, nullptr);
  });
}

Task RawNanosleep(int) {
  return EndsInTime("SYS_clock_nanosleep", 0, [] {
    timespec t = Timeout();
    return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, nullptr);
  });
}

Task Poll(int) {
  return EndsInTime("poll", 0, [] { return poll(nullptr, 0, kWait.count()); });
}

Task RawPoll(int) {
  return EndsInTime("SYS_poll", 0, [] {
#ifdef SYS_poll
    return syscall(SYS_poll, nullptr, 0, kWait.count());
#else
    timespec t = Timeout();
    return syscall(SYS_ppoll, nullptr, 0, &t, nullptr, 0);
#endif
  });
}

Task Select(int) {
  return EndsInTime("select", 0, [] {
    timeval t = {0, std::chrono::microseconds(kWait).count()};
    return select(0, nullptr, nullptr, nullptr, &t);
  });
}

// A descriptor, closed with the last copy of the row.
struct Fd {
  explicit Fd(int descriptor) : fd(descriptor) { Expect(fd >= 0, "no descriptor"); }
  ~Fd() { close(fd); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  const int fd;
};

Task EpollWait(int) {
  auto epoll = std::make_shared<Fd>(epoll_create1(EPOLL_CLOEXEC));
  return EndsInTime("epoll_wait", 0, [epoll] {
    epoll_event event;
    return epoll_wait(epoll->fd, &event, 1, kWait.count());
  });
}

Task EpollPwait2(int) {
  auto epoll = std::make_shared<Fd>(epoll_create1(EPOLL_CLOEXEC));
  return EndsInTime("SYS_epoll_pwait2", 0, [epoll] {
    epoll_event event;
    timespec t = Timeout();
    return syscall(SYS_epoll_pwait2, epoll->fd, &event, 1, &t, nullptr, 8);
  });
}

struct Context {
  Context() { ExpectCall(0, syscall(SYS_io_setup, 10, &context), "io_setup"); }
  ~Context() { syscall(SYS_io_destroy, context); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  aio_context_t context = 0;
};

Task IoGetevents(int) {
  auto aio = std::make_shared<Context>();
  return EndsInTime("SYS_io_getevents", 0, [aio] {
    io_event event;
    timespec t = Timeout();
    return syscall(SYS_io_getevents, aio->context, 1L, 1L, &event, &t);
  });
}

struct Semaphores {
  Semaphores() : id(semget(IPC_PRIVATE, 1, 0600)) { Expect(id >= 0, "semget"); }
  ~Semaphores() { semctl(id, 0, IPC_RMID); }
  Semaphores(const Semaphores&) = delete;
  Semaphores& operator=(const Semaphores&) = delete;
  const int id;
};

Task Semtimedop(int) {
  auto semaphores = std::make_shared<Semaphores>();
  return EndsInTime("semtimedop", -EAGAIN, [semaphores] {
    sembuf down = {0, -1, 0};
    const timespec t = Timeout();
    return semtimedop(semaphores->id, &down, 1, &t);
  });
}

Task FutexWait(int) {
  return EndsInTime("SYS_futex", -ETIMEDOUT, [] {
    uint32_t word = 0;
    timespec t = Timeout();
    return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &t, nullptr, 0);
  });
}

Task Sigtimedwait(int) {
  return EndsInTime("sigtimedwait", -EAGAIN, [] {
    sigset_t none;
    sigemptyset(&none);
    const timespec t = Timeout();
    return sigtimedwait(&none, nullptr, &t);
  });
}

// A receive with SO_RCVTIMEO, from a socket on which nobody sends.
Task RecvTimeout(int) {
  int pair[2];
  ExpectCall(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "socketpair");
  auto silent = std::make_shared<Fd>(pair[0]);
  auto socket = std::make_shared<Fd>(pair[1]);
  const timeval t = {0, std::chrono::microseconds(kWait).count()};
  ExpectCall(0, setsockopt(socket->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), "setsockopt");
  return EndsInTime("recv", -EAGAIN, [silent, socket] {
    char byte = 0;
    return recv(socket->fd, &byte, 1, 0);
  });
}

thread_local volatile int rung = 0;

// A signal of the program's ends a read of which nothing else comes: that one, once, and none of ours.
Task OwnSignal(int) {
  struct sigaction action = {};
  action.sa_handler = [](int) { rung = rung + 1; };
  sigaction(SIGUSR1, &action, nullptr);
  int ends[2];
  ExpectCall(0, pipe(ends), "pipe");
  auto silent = std::make_shared<Fd>(ends[1]);
  auto in = std::make_shared<Fd>(ends[0]);
  return {.work =
              [silent, in](Worker& w) {
                sigevent event = {};
                event.sigev_notify = SIGEV_THREAD_ID;
                event.sigev_signo = SIGUSR1;
                event._sigev_un._tid = gettid();
                timer_t timer;
                ExpectCall(0, timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
                while (w.Next()) {
                  const int before = rung;
                  itimerspec at = {};
                  at.it_value = Timeout();
                  ExpectCall(0, timer_settime(timer, 0, &at, nullptr), "timer_settime");
                  char byte = 0;
                  const int64_t got = read(in->fd, &byte, 1);
                  Expect(got == -1 && errno == EINTR, "the signal did not end the read");
                  ExpectEq(before + 1, rung, "signals handled");
                }
                timer_delete(timer);
              },
          .waits = kWait};
}

}  // namespace

Family Timed() {
  return {"timed",
          {{"nanosleep", Nanosleep},
           {"raw_nanosleep", RawNanosleep},
           {"poll", Poll},
           {"raw_poll", RawPoll},
           {"select", Select},
           {"epoll_wait", EpollWait},
           {"epoll_pwait2", EpollPwait2},
           {"io_getevents", IoGetevents},
           {"semtimedop", Semtimedop},
           {"futex_wait", FutexWait},
           {"sigtimedwait", Sigtimedwait},
           {"recv_timeout", RecvTimeout},
           {"own_signal", OwnSignal}}};
}

}  // namespace anycode
