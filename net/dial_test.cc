// How a Dial goes: each network, each answer of the other side, several addresses, the time that
// each gets, and giving up from outside in each of its phases.
//
//   | phase        | ends by                                                        |
//   | words        | kInvalidArgument                                               |
//   | look-up      | addresses, kNotFound, the timeout, Dialer::Close               |
//   | connect      | a connection, the kernel's error, the timeout, Dialer::Close   |
//   | the next one | while there are addresses and time; the first error is reported |
// Not here: a socket that connects to itself, which the kernel alone can bring about.
#include "gort/net/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/context/context.h"
#include "gort/net/listen.h"
#include "gort/net/testing/fake_lookup.h"
#include "gort/net/testing/testing.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::Eventually;
using testing::fake_lookup;
using testing::FullListener;
using testing::InGort;
using testing::IntOption;
using testing::Must;
using testing::OpenSockets;
using testing::Parked;
using testing::Probe;
using testing::SocketOf;

// What the tests look up changes under the same name.
const bool kNothingIsKept = [] {
  SetLookupCache(std::chrono::seconds(0), std::chrono::milliseconds(0));
  return true;
}();

constexpr absl::StatusCode kTimeout = absl::StatusCode::kDeadlineExceeded;
constexpr absl::StatusCode kCancelled = absl::StatusCode::kCancelled;
constexpr absl::StatusCode kRefused = absl::StatusCode::kUnavailable;

SocketAddr Addr(const std::string& text) { return Must(SocketAddr::Parse(text)); }

// An address of the loopback where nobody listens.
std::string Nobody() { return Must(Listen("tcp", "127.0.0.1:0")).Addr(); }

// ---- one address ----

TEST(Dial, EachNetwork) {
  InGort([] {
    const std::string path = "/tmp/gort_dial_test_" + std::to_string(getpid());
    const std::string abstract = "@" + path;
    struct Case {
      const char* network;
      const char* address;
      const char* dial;  // null: `network`
    };
    const Case cases[] = {
        {"tcp", "127.0.0.1:0", nullptr},     {"tcp4", "127.0.0.1:0", nullptr},
        {"tcp4", "127.0.0.1:0", "tcp"},      {"unix", path.c_str(), nullptr},
        {"unix", abstract.c_str(), nullptr},
    };
    for (const Case& c : cases) {
      Listener listener = Must(Listen(c.network, c.address));
      Conn conn = Must(Dial(c.dial != nullptr ? c.dial : c.network, listener.Addr()));
      Conn server = Must(listener.Accept());
      EXPECT_EQ(conn.RemoteAddr(), listener.Addr()) << c.network;
      EXPECT_EQ(conn.LocalAddr(), server.RemoteAddr()) << c.network;
    }
    Conn udp = Must(Dial("udp", "127.0.0.1:9"));  // nobody has to be there
    EXPECT_EQ(udp.RemoteAddr(), "127.0.0.1:9");
  });
}

TEST(Dial, EachRefusal) {
  InGort([] {
    const int before = OpenSockets();
    const std::string nobody = Nobody();
    const std::string stale = "/tmp/gort_dial_stale_" + std::to_string(getpid());
    {
      const SocketAddr name = Must(SocketAddr::Unix(stale));
      const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      ASSERT_EQ(bind(fd, name.raw(), name.size()), 0);
      close(fd);  // the file stays
    }
    struct Case {
      const char* network;
      std::string address;
      absl::StatusCode code;
      std::string message;
    };
    const Case cases[] = {
        {"tcp", nobody, kRefused, "dial tcp " + nobody + ": connect: Connection refused"},
        {"unix", stale, kRefused, "dial unix " + stale + ": connect: Connection refused"},
        {"unix", stale + "x", absl::StatusCode::kNotFound,
         "dial unix " + stale + "x: connect: No such file or directory"},
        {"tcp", "255.255.255.255:1", absl::StatusCode::kUnavailable,
         "dial tcp 255.255.255.255:1: connect: Network is unreachable"},
        {"nett", nobody, absl::StatusCode::kInvalidArgument, "dial: unknown network \"nett\""},
    };
    for (const Case& c : cases) {
      const absl::Status s = Dial(c.network, c.address).status();
      EXPECT_EQ(s.code(), c.code) << s;
      EXPECT_EQ(s.message(), c.message);
    }
    unlink(stale.c_str());
    EXPECT_EQ(OpenSockets(), before);
  });
}

TEST(Dial, OptionsOfTheConnection) {
  struct Case {
    absl::Duration keep_alive;
    int on;
    int seconds;
  };
  const Case cases[] = {{absl::Seconds(15), 1, 15},
                        {absl::Seconds(40), 1, 40},
                        {absl::ZeroDuration(), 0, 0},
                        {-absl::Seconds(1), 0, 0}};
  InGort([&] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    for (const Case& c : cases) {
      DialOptions options;
      EXPECT_EQ(options.keep_alive, absl::Seconds(15));
      options.keep_alive = c.keep_alive;
      Dialer dialer(options);
      Conn conn = Must(dialer.Dial("tcp", listener.Addr()));
      const int fd = SocketOf(conn);
      ASSERT_GE(fd, 0);
      EXPECT_EQ(IntOption(fd, IPPROTO_TCP, TCP_NODELAY), 1);
      EXPECT_EQ(IntOption(fd, SOL_SOCKET, SO_KEEPALIVE), c.on) << c.keep_alive;
      if (c.on != 0) {
        EXPECT_EQ(IntOption(fd, IPPROTO_TCP, TCP_KEEPIDLE), c.seconds);
      }
    }
    Conn udp = Must(Dial("udp", "127.0.0.1:9"));
    EXPECT_EQ(IntOption(SocketOf(udp), SOL_SOCKET, SO_BROADCAST), 1);
  });
}

// The deadline of the Dial is not the connection's.
TEST(Dial, ATimeoutEndsWithTheDial) {
  InGort([] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    absl::Time late;
    absl::StatusOr<Conn> made = absl::CancelledError("not yet");
    EXPECT_TRUE(Eventually([&] {  // an attempt may take longer than that
      made = Dial("tcp", listener.Addr(), absl::Milliseconds(50));
      late = absl::Now() + absl::Milliseconds(60);
      return made.ok();
    }));
    Conn conn = Must(std::move(made));
    Conn server = Must(listener.Accept());
    while (server.RemoteAddr() != conn.LocalAddr()) server = Must(listener.Accept());
    Probe reading([&] {
      char c;
      EXPECT_EQ(Must(conn.Read(absl::MakeSpan(&c, 1))), 1u);
    });
    EXPECT_TRUE(Eventually([&] { return absl::Now() > late; }));
    EXPECT_FALSE(reading.done());
    Must(server.Write("x"));
    EXPECT_TRUE(reading.Finish());
  });
}

// ---- several addresses ----

TEST(DialAddresses, EachOrderOfGoodAndBad) {
  struct Case {
    const char* what;
    std::vector<int> order;  // 0: nobody there; 1: the first listener, 2: the second
    int reaches;             // 0: none
  };
  const Case cases[] = {
      {"the first is good", {1, 0, 2}, 1},
      {"the second is", {0, 2, 1}, 2},
      {"the last is", {0, 0, 1}, 1},
      {"none is", {0, 0}, 0},
  };
  InGort([&] {
    Listener listeners[] = {Must(Listen("tcp", "127.0.0.1:0")), Must(Listen("tcp", "127.0.0.1:0"))};
    for (const Case& c : cases) {
      const int before = OpenSockets();
      std::vector<SocketAddr> addrs;
      std::string first;
      for (const int which : c.order) {
        const std::string text = which == 0 ? Nobody() : listeners[which - 1].Addr();
        addrs.push_back(Addr(text));
        if (first.empty()) first = text;
      }
      fake_lookup.Set("several", {0, 0, addrs});
      absl::StatusOr<Conn> conn = Dial("tcp", "several:80");
      ASSERT_EQ(conn.ok(), c.reaches != 0) << c.what << ": " << conn.status();
      if (conn.ok()) {
        EXPECT_EQ(conn->RemoteAddr(), listeners[c.reaches - 1].Addr()) << c.what;
        EXPECT_TRUE(conn->Close().ok());
      } else {
        EXPECT_EQ(conn.status().message(), "dial tcp " + first + ": connect: Connection refused");
      }
      EXPECT_EQ(OpenSockets(), before) << c.what;  // those that failed are closed
    }
  });
}

TEST(DialAddresses, TheTimeIsSharedAndASmallRestIsNot) {
  InGort([] {
    FullListener hangs;
    Listener good = Must(Listen("tcp", "127.0.0.1:0"));
    fake_lookup.Set("slow", {0, 0, {Addr(hangs.Addr()), Addr(good.Addr())}});
    // Less than the least share: the first address has it all.
    const absl::Status s = Dial("tcp", "slow:80", absl::Milliseconds(50)).status();
    EXPECT_EQ(s.code(), kTimeout);
    EXPECT_NE(s.message().find(hangs.Addr()), s.message().npos) << s;
    EXPECT_TRUE(good.SetDeadline(absl::Now() - absl::Seconds(1)).ok());
    EXPECT_EQ(good.Accept().status().code(), kTimeout);
    EXPECT_TRUE(good.SetDeadline(absl::InfiniteFuture()).ok());
    // Enough for both: half of it, then the next.
    const absl::Time start = absl::Now();
    DialOptions options;
    options.timeout = absl::Seconds(6);
    options.attempt_delay = absl::InfiniteDuration();
    Conn conn = Must(Dial(Background(), "tcp", "slow:80", options));
    EXPECT_EQ(conn.RemoteAddr(), good.Addr());
    EXPECT_GE(absl::Now() - start, absl::Seconds(2));
  });
}

TEST(DialAddresses, ASlowOneIsOvertakenAndClosed) {
  InGort([] {
    FullListener hangs;
    Listener good = Must(Listen("tcp", "127.0.0.1:0"));
    Listener next = Must(Listen("tcp", "127.0.0.1:0"));
    const int before = OpenSockets();
    fake_lookup.Set("slow", {0, 0, {Addr(hangs.Addr()), Addr(good.Addr()), Addr(next.Addr())}});
    absl::Time start = absl::Now();
    Conn conn = Must(Dial("tcp", "slow:80"));
    EXPECT_EQ(conn.RemoteAddr(), good.Addr());
    EXPECT_GE(absl::Now() - start, absl::Milliseconds(250));
    EXPECT_EQ(OpenSockets(), before + 1);
    // The third was never begun.
    EXPECT_TRUE(next.SetDeadline(absl::Now() - absl::Seconds(1)).ok());
    EXPECT_EQ(next.Accept().status().code(), kTimeout);
    // A short delay; one that fails does not take it.
    DialOptions options;
    options.attempt_delay = absl::Milliseconds(1);
    EXPECT_EQ(Must(Dial(Background(), "tcp", "slow:80", options)).RemoteAddr(), good.Addr());
    fake_lookup.Set("bad", {0, 0, {Addr(Nobody()), Addr(good.Addr())}});
    options.attempt_delay = absl::Hours(1);
    EXPECT_EQ(Must(Dial(Background(), "tcp", "bad:80", options)).RemoteAddr(), good.Addr());
    // One that ends after the clock does.
    options.attempt_delay = absl::Nanoseconds(INT64_MAX);
    options.timeout = absl::Milliseconds(20);
    EXPECT_EQ(Dial(Background(), "tcp", "slow:80", options).status().code(), kTimeout);
  });
}

TEST(DialAddresses, TheEndOfTheDialEndsAllOfThem) {
  InGort([] {
    FullListener hangs;
    const int before = OpenSockets();
    fake_lookup.Set("slow", {0, 0, std::vector<SocketAddr>(5, Addr(hangs.Addr()))});
    DialOptions options;
    options.attempt_delay = absl::Milliseconds(1);
    auto scope = WithCancel(Background());
    absl::Status got;
    Probe dialling([&] { got = Dial(scope.first, "tcp", "slow:80", options).status(); });
    EXPECT_TRUE(Parked(6));  // five attempts, and the caller
    scope.second();
    EXPECT_TRUE(dialling.Finish());
    EXPECT_EQ(got, absl::CancelledError("dial tcp slow:80: context canceled"));
    EXPECT_EQ(OpenSockets(), before);
    options.timeout = absl::Milliseconds(20);
    EXPECT_EQ(Dial(Background(), "tcp", "slow:80", options).status().code(), kTimeout);
    EXPECT_EQ(OpenSockets(), before);
  });
}

TEST(DialAddresses, AfterTheTimeIsOverTheLastAttemptIsWaitedForAsleep) {
  InGort([] {
    auto release = WithCancel(Background());
    DialOptions options;
    options.timeout = absl::ZeroDuration();
    options.attempt_delay = absl::ZeroDuration();
    options.control = [&](int) {
      release.first.Done().Recv();
      return absl::OkStatus();
    };
    absl::Status got;
    Probe dialling([&] { got = Dial(Background(), "tcp", ":80", options).status(); });
    EXPECT_TRUE(Parked(1));
    release.second();
    EXPECT_TRUE(dialling.Finish());
    EXPECT_EQ(got.code(), kTimeout);
  });
}

// ---- giving up ----

TEST(Dialer, CloseEndsEachPhase) {
  InGort([] {
    const std::string cancelled = ": use of closed network connection";
    fake_lookup.Set("slow", {0, 0, {Addr("127.0.0.1:1")}, /*held=*/true});
    FullListener full;
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    Dialer dialer;
    Conn made = Must(dialer.Dial("tcp", listener.Addr()));
    absl::Status in_lookup, in_connect;
    Probe a([&] { in_lookup = dialer.Dial("tcp", "slow:80").status(); });
    Probe b([&] { in_connect = dialer.Dial("tcp", full.Addr()).status(); });
    EXPECT_TRUE(Parked(2));
    dialer.Close();
    EXPECT_TRUE(a.Finish());
    EXPECT_TRUE(b.Finish());
    EXPECT_EQ(in_lookup, absl::CancelledError("dial tcp slow:80" + cancelled));
    EXPECT_EQ(in_connect, absl::CancelledError("dial tcp " + full.Addr() + cancelled));
    fake_lookup.Release(1);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 0; }));
    // Later ones fail at once, those that need no wait included.
    for (const std::string& address : {full.Addr(), listener.Addr(), std::string("slow:80")}) {
      EXPECT_EQ(dialer.Dial("tcp", address).status().code(), kCancelled) << address;
    }
    fake_lookup.Release(1);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 0; }));
    dialer.Close();
    // Connections that were made stay.
    Conn server = Must(listener.Accept());
    Must(made.Write("x"));
    EXPECT_EQ(testing::ReadN(server, 1), "x");
  });
}

TEST(Dialer, ATimeoutIsNoCancellation) {
  InGort([] {
    FullListener full;
    DialOptions options;
    options.timeout = absl::Milliseconds(5);
    Dialer dialer(options);
    EXPECT_EQ(dialer.Dial("tcp", full.Addr()).status().code(), kTimeout);
    for (const absl::Duration none : {absl::ZeroDuration(), -absl::InfiniteDuration()}) {
      EXPECT_EQ(Dial("tcp", full.Addr(), none).status().code(), kTimeout);
    }
  });
}

}  // namespace
}  // namespace gort
