// Which socket an address gets, in which order it is made, and what is left when a step fails.
#include "gort/net/internal/sockets.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "absl/status/status.h"
#include "gort/net/internal/fd.h"
#include "gort/net/internal/syscalls.h"
#include "gort/net/testing/testing.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using gort::testing::InGort;
using gort::testing::IntOption;
using gort::testing::Must;
using gort::testing::OpenSockets;

absl::Status NoSetup(int) { return absl::OkStatus(); }

absl::StatusOr<NetFd*> Bound(const char* network, const std::string& address, int backlog,
                             absl::FunctionRef<absl::Status(int fd)> setup = NoSetup) {
  return BoundSocket(Must(ParseNetwork("listen", network)), address, backlog, setup);
}

bool HasIpv6() {
  const int fd = SysSocket(AF_INET6, SOCK_STREAM);
  const SocketAddr loopback = Must(SocketAddr::Parse("[::1]:0"));
  const bool has = fd >= 0 && bind(fd, loopback.raw(), loopback.size()) == 0;
  if (fd >= 0) SysClose(fd);
  return has;
}

TEST(BoundSocket, TheFamilyIsTheAddresss) {
  struct Case {
    const char* network;
    const char* address;
    int family;
    int v6only;  // of an IPv6 socket
    const char* name;
  };
  const Case cases[] = {
      {"tcp", ":0", AF_INET6, 0, "[::]:"},
      {"tcp", "[::]:0", AF_INET6, 0, "[::]:"},
      {"tcp6", ":0", AF_INET6, 1, "[::]:"},
      {"tcp6", "[::]:0", AF_INET6, 1, "[::]:"},
      {"tcp", "[::1]:0", AF_INET6, 1, "[::1]:"},
      {"tcp4", ":0", AF_INET, 0, "0.0.0.0:"},
      {"tcp", "0.0.0.0:0", AF_INET, 0, "0.0.0.0:"},
      {"tcp", "127.0.0.1:0", AF_INET, 0, "127.0.0.1:"},
      {"unix", "@gort_sockets_test", AF_UNIX, 0, "@gort_sockets_test"},
  };
  InGort([&] {
    for (const Case& c : cases) {
      const std::string which = std::string(c.network) + ' ' + c.address;
      if (c.family == AF_INET6 && !HasIpv6()) continue;
      FdHandle fd(Must(Bound(c.network, c.address, 4)));
      const int sysfd = fd.get()->sysfd();
      EXPECT_EQ(IntOption(sysfd, SOL_SOCKET, SO_DOMAIN), c.family) << which;
      if (c.family == AF_INET6) {
        EXPECT_EQ(IntOption(sysfd, IPPROTO_IPV6, IPV6_V6ONLY), c.v6only) << which;
      }
      EXPECT_EQ(fd.get()->local().ToString().rfind(c.name, 0), 0u)
          << which << ": " << fd.get()->local().ToString();
      EXPECT_EQ(fd.get()->local().port() != 0, c.family != AF_UNIX) << which;
    }
  });
}

TEST(BoundSocket, ListensWithABacklogAndReusesThePortThen) {
  struct Case {
    const char* network;
    const char* address;
    int backlog;
    int listens;
    int reuses;
  };
  const Case cases[] = {
      {"tcp", "127.0.0.1:0", 4, 1, 1},
      {"tcp", "127.0.0.1:0", 0, 0, 0},
      {"udp", "127.0.0.1:0", 0, 0, 0},
      {"unix", "@gort_sockets_test", 4, 1, 0},
  };
  InGort([&] {
    for (const Case& c : cases) {
      FdHandle fd(Must(Bound(c.network, c.address, c.backlog)));
      const int sysfd = fd.get()->sysfd();
      EXPECT_EQ(IntOption(sysfd, SOL_SOCKET, SO_ACCEPTCONN), c.listens) << c.network << c.backlog;
      EXPECT_EQ(IntOption(sysfd, SOL_SOCKET, SO_REUSEADDR), c.reuses) << c.network << c.backlog;
    }
  });
}

TEST(BoundSocket, SetupComesBeforeBind) {
  InGort([] {
    int calls = 0;
    FdHandle fd(Must(Bound("tcp", "127.0.0.1:0", 4, [&](int sysfd) {
      ++calls;
      EXPECT_EQ(SysLocal(sysfd).port(), 0);
      EXPECT_EQ(IntOption(sysfd, SOL_SOCKET, SO_ACCEPTCONN), 0);
      return absl::OkStatus();
    })));
    EXPECT_EQ(calls, 1);
  });
}

// Whatever step fails: its error, and the descriptor is gone.
TEST(BoundSocket, EachStepsFailure) {
  InGort([] {
    FdHandle taken(Must(Bound("tcp", "127.0.0.1:0", 4)));
    const std::string used = taken.get()->local().ToString();
    const int before = OpenSockets();

    EXPECT_EQ(Bound("tcp", "nowhere", 4).status().message(),
              "listen tcp: address \"nowhere\": missing port in address");
    const absl::Status refused = absl::PermissionDeniedError("not today");
    EXPECT_EQ(Bound("tcp", "127.0.0.1:0", 4, [&](int) { return refused; }).status(), refused);
    EXPECT_EQ(Bound("tcp", used, 4).status().message(),
              "listen tcp " + used + ": bind: Address already in use");
    EXPECT_EQ(Bound("udp", "127.0.0.1:0", 4).status().message(),
              "listen udp 127.0.0.1:0: listen: Operation not supported");
    EXPECT_EQ(OpenSockets(), before);

    rlimit limit;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit none{0, limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    const absl::Status s = Bound("tcp", "127.0.0.1:0", 4).status();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(s.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(s.message(), "listen tcp 127.0.0.1:0: socket: Too many open files");
  });
}

// A machine without IPv6: the wildcard, and nothing else, falls back to IPv4.
TEST(BoundSocket, TheWildcardFallsBackToIpv4) {
  struct Case {
    const char* network;
    const char* address;
    int error;  // of everything with IPv6
    bool falls_back;
  };
  const Case cases[] = {
      {"tcp", ":0", EAFNOSUPPORT, true},      {"tcp", ":0", EADDRNOTAVAIL, true},
      {"tcp", ":0", EACCES, false},           {"tcp6", ":0", EAFNOSUPPORT, false},
      {"tcp", "[::]:0", EAFNOSUPPORT, false}, {"tcp", "[::1]:0", EADDRNOTAVAIL, false},
  };
  InGort([&] {
    for (const Case& c : cases) {
      absl::StatusOr<NetFd*> made = Bound(c.network, c.address, 4, [&](int sysfd) {
        return IntOption(sysfd, SOL_SOCKET, SO_DOMAIN) == AF_INET6
                   ? OpError("listen", c.network, c.address, "socket", c.error)
                   : absl::OkStatus();
      });
      EXPECT_EQ(made.ok(), c.falls_back) << c.network << ' ' << c.address << ' ' << c.error;
      if (!made.ok()) continue;
      FdHandle fd(*made);
      EXPECT_EQ(fd.get()->local().ToString().rfind("0.0.0.0:", 0), 0u);
    }
  });
}

}  // namespace
}  // namespace gort::rt
