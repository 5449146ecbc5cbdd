// What the options are in the kernel after each call, and what is refused.
#include "gort/net/internal/options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/net/internal/fd.h"
#include "gort/net/internal/syscalls.h"
#include "gort/net/testing/testing.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using gort::testing::InGort;
using gort::testing::IntOption;
using gort::testing::Must;

constexpr absl::StatusCode kAfterClose = absl::StatusCode::kFailedPrecondition;

FdHandle Socket(int family) {
  return FdHandle(
      Must(NetFd::New(SysSocket(family, SOCK_STREAM), family == AF_UNIX ? "unix" : "tcp")));
}

TEST(KeepAlive, EachLengthInWholeSeconds) {
  struct Case {
    absl::Duration idle;
    int on;
    int seconds;
  };
  const Case cases[] = {
      {absl::Nanoseconds(1), 1, 1},
      {absl::Seconds(1), 1, 1},
      {absl::Seconds(1) + absl::Nanoseconds(1), 1, 2},
      {absl::Milliseconds(2500), 1, 3},
      {absl::Seconds(15), 1, 15},
      {absl::Seconds(32767), 1, 32767},
      {absl::Seconds(32768), 1, 32767},
      {absl::InfiniteDuration(), 1, 32767},
      {absl::ZeroDuration(), 0, 0},
      {-absl::Seconds(1), 0, 0},
      {-absl::InfiniteDuration(), 0, 0},
  };
  InGort([&] {
    FdHandle fd = Socket(AF_INET);
    for (const Case& c : cases) {
      EXPECT_TRUE(SetFdKeepAlive(fd.get(), c.idle).ok()) << c.idle;
      EXPECT_EQ(IntOption(fd.get()->sysfd(), SOL_SOCKET, SO_KEEPALIVE), c.on) << c.idle;
      if (c.on == 0) continue;
      EXPECT_EQ(IntOption(fd.get()->sysfd(), IPPROTO_TCP, TCP_KEEPIDLE), c.seconds) << c.idle;
      EXPECT_EQ(IntOption(fd.get()->sysfd(), IPPROTO_TCP, TCP_KEEPINTVL), c.seconds) << c.idle;
      EXPECT_EQ(IntOption(fd.get()->sysfd(), IPPROTO_TCP, TCP_KEEPCNT), 9) << c.idle;
    }
  });
}

TEST(Options, WhatTheKernelRefusesIsNamed) {
  InGort([] {
    FdHandle unix_socket = Socket(AF_UNIX);
    const absl::Status s = SetFdKeepAlive(unix_socket.get(), absl::Seconds(1));
    EXPECT_EQ(s.message(), "set unix: TCP_KEEPIDLE: Operation not supported");
    EXPECT_TRUE(SetFdKeepAlive(unix_socket.get(), absl::ZeroDuration()).ok());
    FdHandle tcp = Socket(AF_INET);
    EXPECT_EQ(SetFdInt(tcp.get(), SOL_SOCKET, 9999, 1, "NO_SUCH").message(),
              "set tcp: NO_SUCH: Protocol not available");
    EXPECT_EQ(SetFdInt(tcp.get(), IPPROTO_TCP, TCP_KEEPIDLE, -1, "TCP_KEEPIDLE").code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(SetFdInt(tcp.get(), IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY").ok());
    EXPECT_EQ(IntOption(tcp.get()->sysfd(), IPPROTO_TCP, TCP_NODELAY), 1);
  });
}

TEST(Options, WithoutASocketAndAfterItsEnd) {
  InGort([] {
    FdHandle closed = Socket(AF_INET);
    EXPECT_TRUE(closed.get()->Close().ok());
    for (NetFd* fd : {static_cast<NetFd*>(nullptr), closed.get()}) {
      EXPECT_EQ(SetFdDeadline(fd, absl::InfiniteFuture(), kPollRead).code(), kAfterClose);
      EXPECT_EQ(SetFdInt(fd, SOL_SOCKET, SO_RCVBUF, 1, "SO_RCVBUF").code(), kAfterClose);
      EXPECT_EQ(SetFdKeepAlive(fd, absl::Seconds(1)).code(), kAfterClose);
      EXPECT_EQ(SetFdKeepAlive(fd, absl::ZeroDuration()).code(), kAfterClose);
    }
    EXPECT_EQ(SetFdDeadline(nullptr, absl::InfiniteFuture(), kPollRead).message(),
              "set deadline: use of closed network connection");
    EXPECT_EQ(SetFdInt(nullptr, SOL_SOCKET, SO_RCVBUF, 1, "SO_RCVBUF").message(),
              "set: use of closed network connection");
  });
}

}  // namespace
}  // namespace gort::rt
