// Datagrams: senders, sizes, deadlines, and a socket that keeps to one peer.
#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/net/net.h"
#include "gort/net/testing/testing.h"
#include "gort/proc/go.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::Eventually;
using testing::InGort;
using testing::Must;
using testing::Parked;
using testing::ReadN;

TEST(NetUdp, DatagramsKnowTheirSender) {
  InGort([] {
    for (const char* address : {"127.0.0.1:0", ":0"}) {
      PacketConn a = Must(ListenPacket("udp", address));
      PacketConn b = Must(ListenPacket("udp", "127.0.0.1:0"));
      const std::string to = "127.0.0.1" + a.LocalAddr().substr(a.LocalAddr().rfind(':'));
      ASSERT_EQ(Must(b.WriteTo("hello", to)), 5u);
      char buf[16];
      Datagram d = Must(a.ReadFrom(absl::MakeSpan(buf)));
      EXPECT_EQ(std::string(buf, d.size), "hello");
      EXPECT_EQ(d.from.ToString(), b.LocalAddr());
      EXPECT_FALSE(d.truncated);
      Must(a.WriteTo("", *SocketAddr::Parse(b.LocalAddr())));
      EXPECT_EQ(Must(b.ReadFrom(absl::MakeSpan(buf))).size, 0u);
      Must(b.WriteTo(std::string(100, 'x'), to));
      d = Must(a.ReadFrom(absl::MakeSpan(buf)));
      EXPECT_EQ(d.size, sizeof buf);
      EXPECT_TRUE(d.truncated);
      EXPECT_EQ(b.WriteTo("x", "localhost").status().message(),
                "address \"localhost\": missing port in address");
      // Nothing is sent of what does not fit.
      EXPECT_EQ(b.WriteTo(std::string(70'000, 'x'), to).status().code(),
                absl::StatusCode::kInvalidArgument);
    }
  });
}

TEST(NetUdp, ADialledSocketKeepsToItsPeer) {
  InGort([] {
    PacketConn server = Must(ListenPacket("udp", "127.0.0.1:0"));
    Conn client = Must(Dial("udp", server.LocalAddr()));
    Must(client.Write("one"));
    Must(client.Write("two"));
    char buf[16];
    Datagram d = Must(server.ReadFrom(absl::MakeSpan(buf)));
    EXPECT_EQ(std::string(buf, d.size), "one");
    EXPECT_EQ(Must(server.ReadFrom(absl::MakeSpan(buf))).size, 3u);
    Must(server.WriteTo("back", d.from));
    EXPECT_EQ(ReadN(client, 4), "back");
  });
}

// An empty datagram is one like any other, but an empty Read takes none. Go: poll.FD's Read, Write
TEST(NetUdp, EmptyDatagramsAndEmptyBuffers) {
  InGort([] {
    PacketConn server = Must(ListenPacket("udp", "127.0.0.1:0"));
    Conn client = Must(Dial("udp", server.LocalAddr()));
    char buf[16];
    EXPECT_EQ(Must(client.Write("")), 0u);
    Must(client.Write("one"));
    Datagram d = Must(server.ReadFrom(absl::MakeSpan(buf)));
    EXPECT_EQ(d.size, 0u);
    EXPECT_EQ(d.from.ToString(), client.LocalAddr());
    EXPECT_FALSE(d.truncated);
    // ReadFrom without a buffer takes a datagram, and says that there was more.
    d = Must(server.ReadFrom({}));
    EXPECT_EQ(d.size, 0u);
    EXPECT_TRUE(d.truncated);
    EXPECT_EQ(Must(server.WriteTo("", d.from)), 0u);
    EXPECT_EQ(Must(server.WriteTo("two", d.from)), 3u);
    EXPECT_EQ(Must(client.Read({})), 0u);
    EXPECT_EQ(Must(client.Read(absl::MakeSpan(buf))), 0u);  // the empty one; no end of a stream
    EXPECT_EQ(Must(client.Read({})), 0u);
    EXPECT_EQ(Must(client.Read(absl::MakeSpan(buf))), 3u);
    // The system's error of an empty write is reported: nobody is at the other end.
    EXPECT_TRUE(server.Close().ok());
    const auto refused = [&client] { return !client.Write("").ok(); };
    EXPECT_TRUE(Eventually(refused));
  });
}

TEST(NetUdp, DeadlineAndClose) {
  InGort([] {
    PacketConn c = Must(ListenPacket("udp", "127.0.0.1:0"));
    char buf[16];
    EXPECT_TRUE(c.SetReadDeadline(absl::Now() + absl::Milliseconds(1)).ok());
    EXPECT_EQ(c.ReadFrom(absl::MakeSpan(buf)).status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(c.SetDeadline(absl::InfiniteFuture()).ok());
    std::atomic<int> code{-1};
    Go([&] { code = static_cast<int>(c.ReadFrom(absl::MakeSpan(buf)).status().code()); });
    EXPECT_TRUE(Parked(1));
    EXPECT_TRUE(c.Close().ok());
    EXPECT_TRUE(Eventually([&] { return code != -1; }));
    EXPECT_EQ(code, static_cast<int>(absl::StatusCode::kCancelled));
  });
}

}  // namespace
}  // namespace gort
