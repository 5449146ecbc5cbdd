// Each call of a connection: without one, after Close, after a move, and what the setters leave in
// the kernel.
#include "gort/net/conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/net/testing/testing.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::InGort;
using testing::IntOption;
using testing::Pair;
using testing::SocketOf;
using testing::TcpPair;

struct Call {
  const char* op;
  absl::Status (*run)(Conn&);
};

const Call kCalls[] = {
    {"read",
     [](Conn& c) {
       char b;
       return c.Read(absl::MakeSpan(&b, 1)).status();
     }},
    {"write", [](Conn& c) { return c.Write("x").status(); }},
    {"writev",
     [](Conn& c) {
       const std::string_view pieces[] = {"x"};
       return c.Writev(pieces).status();
     }},
    {"close", [](Conn& c) { return c.CloseWrite(); }},
    {"close", [](Conn& c) { return c.CloseRead(); }},
    {"set deadline", [](Conn& c) { return c.SetDeadline(absl::InfiniteFuture()); }},
    {"set deadline", [](Conn& c) { return c.SetReadDeadline(absl::InfiniteFuture()); }},
    {"set deadline", [](Conn& c) { return c.SetWriteDeadline(absl::InfiniteFuture()); }},
    {"set", [](Conn& c) { return c.SetNoDelay(true); }},
    {"set", [](Conn& c) { return c.SetKeepAlive(absl::Seconds(1)); }},
    {"set", [](Conn& c) { return c.SetLinger(0); }},
    {"set", [](Conn& c) { return c.SetReadBuffer(4096); }},
    {"set", [](Conn& c) { return c.SetWriteBuffer(4096); }},
    {"close", [](Conn& c) { return c.Close(); }},
};

TEST(Conn, EachCallWithoutAConnection) {
  InGort([] {
    Pair p = TcpPair();
    Conn moved = std::move(p.client);
    const std::string ends = moved.LocalAddr() + "->" + moved.RemoteAddr();
    EXPECT_TRUE(moved.Close().ok());
    Conn none;
    const std::string text = "use of closed network connection";
    for (const Call& call : kCalls) {
      const std::string op = call.op;
      for (Conn* c : {&none, &p.client}) {  // NOLINT(bugprone-use-after-move)
        EXPECT_EQ(call.run(*c), absl::FailedPreconditionError(op + ": " + text));
      }
      EXPECT_EQ(call.run(moved), absl::FailedPreconditionError(op + " tcp " + ends + ": " + text));
    }
    EXPECT_EQ(none.LocalAddr(), "");
    EXPECT_EQ(none.RemoteAddr(), "");
  });
}

TEST(Conn, SettersReachTheKernel) {
  InGort([] {
    Pair p = TcpPair();
    Conn& c = p.server;
    const int fd = SocketOf(c);
    ASSERT_GE(fd, 0);
    for (const int on : {0, 1}) {
      EXPECT_TRUE(c.SetNoDelay(on != 0).ok());
      EXPECT_EQ(IntOption(fd, IPPROTO_TCP, TCP_NODELAY), on);
    }
    EXPECT_TRUE(c.SetKeepAlive(absl::Seconds(7)).ok());
    EXPECT_EQ(IntOption(fd, IPPROTO_TCP, TCP_KEEPIDLE), 7);
    EXPECT_TRUE(c.SetReadBuffer(50'000).ok());
    EXPECT_EQ(IntOption(fd, SOL_SOCKET, SO_RCVBUF), 100'000);  // Linux doubles it
    EXPECT_TRUE(c.SetWriteBuffer(60'000).ok());
    EXPECT_EQ(IntOption(fd, SOL_SOCKET, SO_SNDBUF), 120'000);
    for (const int seconds : {0, 5, -1}) {
      EXPECT_TRUE(c.SetLinger(seconds).ok());
      linger value{};
      socklen_t size = sizeof value;
      ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &size), 0);
      EXPECT_EQ(value.l_onoff != 0, seconds >= 0) << seconds;
      if (seconds >= 0) {
        EXPECT_EQ(value.l_linger, seconds);
      }
    }
  });
}

// Each direction by itself.
TEST(Conn, HalvesAreClosedAlone) {
  InGort([] {
    Pair p = TcpPair();
    char b;
    EXPECT_TRUE(p.client.CloseRead().ok());
    EXPECT_EQ(*p.client.Read(absl::MakeSpan(&b, 1)), 0u);
    EXPECT_TRUE(p.client.Write("x").ok());
    EXPECT_EQ(testing::ReadN(p.server, 1), "x");
    EXPECT_TRUE(p.server.CloseWrite().ok());
    EXPECT_FALSE(p.server.Write("x").ok());
    EXPECT_TRUE(p.client.Write("y").ok());
    EXPECT_EQ(testing::ReadN(p.server, 1), "y");
    EXPECT_EQ(p.client.SetReadDeadline(absl::InfinitePast()), absl::OkStatus());
    EXPECT_EQ(p.client.Read(absl::MakeSpan(&b, 1)).status().code(),
              absl::StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(p.client.Write("z").ok());
  });
}

}  // namespace
}  // namespace gort
