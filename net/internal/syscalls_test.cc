// What each call answers: done, partly done, not now, never. No runtime: the calls do not wait.
#include "gort/net/internal/syscalls.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "gort/net/internal/fd.h"
#include "gort/platforms/thread.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

constexpr int kNoFd = -1;

// Two ends that are connected, neither of which blocks unless `blocking`.
class Pair {
 public:
  explicit Pair(int type = SOCK_STREAM, bool blocking = false) {
    EXPECT_EQ(socketpair(AF_UNIX, type | (blocking ? 0 : SOCK_NONBLOCK), 0, fds_), 0);
  }
  ~Pair() {
    CloseB();
    close(fds_[0]);
  }
  void CloseB() {
    if (fds_[1] >= 0) close(fds_[1]);
    fds_[1] = -1;
  }
  int a() const { return fds_[0]; }
  int b() const { return fds_[1]; }

 private:
  int fds_[2];
};

SocketAddr Loopback(uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return SocketAddr(reinterpret_cast<sockaddr*>(&in), sizeof in);
}

// A TCP socket that listens on the loopback.
class Listening {
 public:
  Listening() : fd_(SysSocket(AF_INET, SOCK_STREAM)) {
    const SocketAddr any = Loopback(0);
    EXPECT_EQ(bind(fd_, any.raw(), any.size()), 0);
    EXPECT_EQ(listen(fd_, 4), 0);
  }
  ~Listening() { SysClose(fd_); }
  int fd() const { return fd_; }
  SocketAddr addr() const { return SysLocal(fd_); }

 private:
  int fd_;
};

bool IsNonBlocking(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }
bool IsClosedByExec(int fd) { return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

void WaitFor(int fd, short events) {
  pollfd p{fd, events, 0};
  ASSERT_EQ(poll(&p, 1, 30'000), 1);
}

// ---- sockets ----

TEST(SysSocket, DoesNotBlockAndEndsAtExec) {
  const int fd = SysSocket(AF_UNIX, SOCK_STREAM);
  ASSERT_GE(fd, 0);
  EXPECT_TRUE(IsNonBlocking(fd));
  EXPECT_TRUE(IsClosedByExec(fd));
  SysClose(fd);
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
  EXPECT_EQ(SysSocket(AF_MAX + 1, SOCK_STREAM), -EAFNOSUPPORT);
}

TEST(SysLocal, TheNameOrNone) {
  Listening listening;
  EXPECT_NE(listening.addr().port(), 0);
  EXPECT_EQ(SysLocal(kNoFd).family(), AF_UNSPEC);
}

TEST(SysSetInt, ZeroOrTheError) {
  Pair p;
  EXPECT_EQ(SysSetInt(p.a(), SOL_SOCKET, SO_KEEPALIVE, 1), 0);
  EXPECT_EQ(SysSetInt(p.a(), SOL_SOCKET, 9999, 1), ENOPROTOOPT);
  EXPECT_EQ(SysSetInt(kNoFd, SOL_SOCKET, SO_KEEPALIVE, 1), EBADF);
}

// ---- streams ----

TEST(SysRecv, DataNothingYetTheEndAnError) {
  Pair p;
  char buf[8];
  EXPECT_EQ(SysRecv(p.a(), buf, sizeof buf), -EAGAIN);
  ASSERT_EQ(SysSend(p.b(), "abc", 3), 3);
  EXPECT_EQ(SysRecv(p.a(), buf, 2), 2);
  EXPECT_EQ(SysRecv(p.a(), buf, sizeof buf), 1);
  EXPECT_EQ(buf[0], 'c');
  p.CloseB();
  EXPECT_EQ(SysRecv(p.a(), buf, sizeof buf), 0);
  EXPECT_EQ(SysRecv(kNoFd, buf, sizeof buf), -EBADF);
}

// Sends with f until the kernel takes no more; how much it took. The last but one is cut short.
template <class F>
size_t Fill(F f) {
  size_t total = 0;
  for (;;) {
    const ssize_t n = f();
    if (n < 0) {
      EXPECT_EQ(n, -EAGAIN);
      return total;
    }
    total += static_cast<size_t>(n);
  }
}

TEST(SysSend, AllPartNothingNever) {
  Pair p;
  const std::string data(8 << 20, 'x');
  const ssize_t first = SysSend(p.a(), data.data(), data.size());
  EXPECT_GT(first, 0);
  EXPECT_LT(static_cast<size_t>(first), data.size());  // the rest has to wait
  Fill([&] { return SysSend(p.a(), data.data(), data.size()); });
  p.CloseB();
  EXPECT_EQ(SysSend(p.a(), "x", 1), -EPIPE);  // and no SIGPIPE
  EXPECT_EQ(SysSendTo(p.a(), "x", SocketAddr()), -EPIPE);
  EXPECT_EQ(SysSend(kNoFd, "x", 1), -EBADF);
}

TEST(SysSendv, PiecesPartsAndErrors) {
  Pair p;
  char one[] = "one";
  char three[] = "three";
  iovec iov[] = {{one, 3}, {one, 0}, {three, 5}};
  EXPECT_EQ(SysSendv(p.a(), iov, 3), 8);
  char buf[16] = {};
  EXPECT_EQ(SysRecv(p.b(), buf, sizeof buf), 8);
  EXPECT_STREQ(buf, "onethree");
  std::string data(4 << 20, 'x');
  iovec large[] = {{data.data(), data.size()}, {data.data(), data.size()}};
  const ssize_t first = SysSendv(p.a(), large, 2);
  EXPECT_GT(first, 0);
  EXPECT_LT(static_cast<size_t>(first), 2 * data.size());
  Fill([&] { return SysSendv(p.a(), large, 2); });
  p.CloseB();
  EXPECT_EQ(SysSendv(p.a(), iov, 3), -EPIPE);
}

// ---- datagrams ----

TEST(SysRecvFrom, SizeSenderAndWhetherItWasCut) {
  Listening unused;  // its port is nobody's in UDP
  const int a = SysSocket(AF_INET, SOCK_DGRAM);
  const int b = SysSocket(AF_INET, SOCK_DGRAM);
  for (const int fd : {a, b}) {
    const SocketAddr any = Loopback(0);
    ASSERT_EQ(bind(fd, any.raw(), any.size()), 0);
  }
  Received got{};
  char buf[4];
  EXPECT_EQ(SysRecvFrom(a, buf, sizeof buf, &got), -EAGAIN);
  for (const char* text : {"", "four", "seven.."}) {
    const auto n = static_cast<ssize_t>(strlen(text));
    EXPECT_EQ(SysSendTo(b, text, SysLocal(a)), n);
    WaitFor(a, POLLIN);
    const ssize_t kept = std::min<ssize_t>(n, sizeof buf);
    EXPECT_EQ(SysRecvFrom(a, buf, sizeof buf, &got), kept) << text;
    EXPECT_EQ(got.size, static_cast<size_t>(kept)) << text;
    EXPECT_EQ(got.from, SysLocal(b)) << text;
    EXPECT_EQ(got.truncated, n > kept) << text;
  }
  const std::string huge(70'000, 'x');
  EXPECT_EQ(SysSendTo(b, huge, SysLocal(a)), -EMSGSIZE);
  EXPECT_EQ(SysSendTo(kNoFd, "x", SysLocal(a)), -EBADF);
  EXPECT_EQ(SysRecvFrom(kNoFd, buf, sizeof buf, &got), -EBADF);
  SysClose(a);
  SysClose(b);
}

// ---- connections ----

TEST(SysConnect, AtOnceLaterOrNot) {
  Listening listening;
  const SocketAddr to = listening.addr();
  SocketAddr from;
  EXPECT_EQ(SysAccept(listening.fd(), &from), -EAGAIN);
  const int fd = SysSocket(AF_INET, SOCK_STREAM);
  EXPECT_EQ(SysConnectResult(fd), EINPROGRESS);  // nothing was begun, nothing has failed
  const int begun = SysConnect(fd, to);
  EXPECT_TRUE(begun == 0 || begun == EINPROGRESS) << begun;
  WaitFor(fd, POLLOUT);
  EXPECT_EQ(SysConnectResult(fd), 0);
  WaitFor(listening.fd(), POLLIN);
  const int accepted = SysAccept(listening.fd(), &from);
  ASSERT_GE(accepted, 0);
  EXPECT_TRUE(IsNonBlocking(accepted));
  EXPECT_TRUE(IsClosedByExec(accepted));
  EXPECT_EQ(from, SysLocal(fd));
  SysClose(accepted);
  SysClose(fd);
  EXPECT_EQ(SysAccept(kNoFd, &from), -EBADF);
}

TEST(SysConnect, RefusedNowOrLater) {
  SocketAddr to;
  {
    Listening gone;
    to = gone.addr();
  }
  const int fd = SysSocket(AF_INET, SOCK_STREAM);
  int error = SysConnect(fd, to);
  if (error == EINPROGRESS) {
    WaitFor(fd, POLLOUT);
    error = SysConnectResult(fd);
  }
  EXPECT_EQ(error, ECONNREFUSED);
  SysClose(fd);
  EXPECT_EQ(SysConnect(kNoFd, to), EBADF);
  EXPECT_EQ(SysConnectResult(kNoFd), EBADF);
}

// ---- interrupted ----

std::atomic<int> interruptions{0};

// 'S' when the thread waits in the kernel.
char StateOf(int tid) {
  std::ifstream stat("/proc/self/task/" + std::to_string(tid) + "/stat");
  std::string line;
  std::getline(stat, line);
  const size_t end = line.rfind(')');
  return end != std::string::npos && end + 2 < line.size() ? line[end + 2] : '?';
}

// Makes `call`, which has to wait, in a thread; interrupts the wait; lets it end. What it returned.
ssize_t Interrupted(const std::function<ssize_t()>& call, const std::function<void()>& let_go) {
  struct sigaction action {};
  action.sa_handler = [](int) { ++interruptions; };  // without SA_RESTART
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<int> tid{0};
  ssize_t result = 0;
  std::thread thread([&] {
    tid = ThreadId();
    result = call();
  });
  while (tid == 0 || StateOf(tid) != 'S') ThreadYield();
  const int before = interruptions;
  ThreadKill(tid, SIGUSR1);
  while (interruptions == before) ThreadYield();
  let_go();
  thread.join();
  return result;
}

TEST(Syscalls, AnInterruptedCallIsMadeAgain) {
  char buf[4];
  Received got{};
  SocketAddr from;
  const std::string data(1 << 20, 'x');
  {
    Pair p(SOCK_STREAM, /*blocking=*/true);
    auto send = [&] { EXPECT_EQ(write(p.b(), "x", 1), 1); };
    EXPECT_EQ(Interrupted([&] { return SysRecv(p.a(), buf, sizeof buf); }, send), 1);
    EXPECT_EQ(Interrupted([&] { return SysRecvFrom(p.a(), buf, sizeof buf, &got); }, send), 1);
  }
  const std::string small(1000, 'x');
  iovec iov{const_cast<char*>(small.data()), small.size()};
  const std::function<ssize_t(int)> sends[] = {
      [&](int fd) { return SysSend(fd, small.data(), small.size()); },
      [&](int fd) { return SysSendv(fd, &iov, 1); },
      [&](int fd) { return SysSendTo(fd, small, SocketAddr()); },
  };
  for (const auto& send : sends) {
    Pair p(SOCK_DGRAM, /*blocking=*/true);
    while (::send(p.a(), small.data(), small.size(), MSG_DONTWAIT) > 0) {
    }
    char room[1000];
    EXPECT_EQ(Interrupted([&] { return send(p.a()); },
                          [&] {
                            while (recv(p.b(), room, sizeof room, MSG_DONTWAIT) > 0) {
                            }
                          }),
              1000);
  }
  Listening listening;
  fcntl(listening.fd(), F_SETFL, 0);
  const int client = SysSocket(AF_INET, SOCK_STREAM);
  const ssize_t accepted = Interrupted([&] { return SysAccept(listening.fd(), &from); },
                                       [&] { SysConnect(client, listening.addr()); });
  EXPECT_GE(accepted, 0);
  EXPECT_EQ(from, SysLocal(client));
  SysClose(static_cast<int>(accepted));
  SysClose(client);
}

}  // namespace
}  // namespace gort::rt
