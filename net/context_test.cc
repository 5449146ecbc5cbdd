// Calls that a context ends: each call that waits, in each of its phases; what the connection is
// afterwards; data that comes at the same moment.
#include "gort/context/context.h"

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/net/net.h"
#include "gort/net/testing/fake_lookup.h"
#include "gort/net/testing/testing.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::Eventually;
using testing::fake_lookup;
using testing::FullListener;
using testing::InGort;
using testing::Must;
using testing::OpenSockets;
using testing::Parked;
using testing::Probe;
using testing::ReadN;
using testing::TcpPair;

// What the tests look up changes under the same name.
const bool kNothingIsKept = [] {
  SetLookupCache(absl::ZeroDuration(), absl::ZeroDuration());
  return true;
}();

constexpr absl::StatusCode kCancelled = absl::StatusCode::kCancelled;
constexpr absl::StatusCode kTimeout = absl::StatusCode::kDeadlineExceeded;

// A context that is over.
Context Over() {
  auto [ctx, cancel] = WithCancel(Background());
  cancel();
  return ctx;
}

// More than the kernel's buffers take.
const std::string& Much() {
  static const auto* const much = new std::string(size_t{64} << 20, 'x');
  return *much;
}

TEST(ConnContext, EndsAReadThatWaitsAndTheConnectionGoesOn) {
  InGort([] {
    auto pair = TcpPair();
    char buf[8];
    for (int round = 0; round < 3; ++round) {
      auto scope = WithCancel(Background());
      absl::Status got;
      Probe reader([&] { got = pair.client.Read(scope.first, absl::MakeSpan(buf)).status(); });
      EXPECT_TRUE(Parked(1));
      scope.second();
      EXPECT_TRUE(reader.Finish());
      EXPECT_EQ(got.code(), kCancelled);
      EXPECT_EQ(got.message(), "read tcp " + pair.client.LocalAddr() + "->" +
                                   pair.client.RemoteAddr() + ": context canceled");
      Must(pair.server.Write("hello"));
      EXPECT_EQ(ReadN(pair.client, 5), "hello");
    }
  });
}

TEST(ConnContext, EndsACallThatWaitsForItsTurn) {
  InGort([] {
    auto pair = TcpPair();
    char buf[8];
    absl::Status got, wrote;
    absl::StatusOr<size_t> first = 0;
    Probe reader([&] { first = pair.client.Read(absl::MakeSpan(buf)); });
    Probe writer([&] { pair.client.Write(Much()).IgnoreError(); });
    EXPECT_TRUE(Parked(2));
    auto scope = WithCancel(Background());
    Probe behind([&] {
      char mine[8];
      got = pair.client.Read(scope.first, absl::MakeSpan(mine)).status();
    });
    Probe behind_too([&] { wrote = pair.client.Write(scope.first, "x").status(); });
    scope.second();
    EXPECT_TRUE(behind.Finish() && behind_too.Finish());
    EXPECT_FALSE(reader.done() || writer.done());
    const std::string ends = pair.client.LocalAddr() + "->" + pair.client.RemoteAddr();
    EXPECT_EQ(got, absl::CancelledError("read tcp " + ends + ": context canceled"));
    EXPECT_EQ(wrote, absl::CancelledError("write tcp " + ends + ": context canceled"));
    Must(pair.server.Write("hello"));
    EXPECT_TRUE(reader.Finish());
    EXPECT_EQ(Must(first), 5u);
    EXPECT_TRUE(pair.client.Close().ok());
    EXPECT_TRUE(writer.Finish());
  });
}

TEST(ConnContext, ADeadlineOfTheContextIsOne) {
  InGort([] {
    auto pair = TcpPair();
    auto [ctx, cancel] = WithTimeout(Background(), absl::Milliseconds(5));
    char buf[8];
    const absl::Status got = pair.client.Read(ctx, absl::MakeSpan(buf)).status();
    EXPECT_EQ(got.code(), kTimeout) << got;
    EXPECT_NE(got.message().find("context deadline exceeded"), absl::string_view::npos) << got;
    cancel();
  });
}

TEST(ConnContext, OneThatIsOverEndsACallAtOnceAndTakesNothing) {
  InGort([] {
    auto pair = TcpPair();
    Must(pair.server.Write("hello"));
    char buf[8];
    EXPECT_EQ(pair.client.Read(Over(), absl::MakeSpan(buf)).status().code(), kCancelled);
    EXPECT_EQ(ReadN(pair.client, 5), "hello");
    size_t written = 77;
    EXPECT_EQ(pair.client.Write(Over(), "x", &written).status().code(), kCancelled);
    EXPECT_EQ(written, 0u);
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    Conn queued = Must(Dial("tcp", listener.Addr()));
    EXPECT_EQ(listener.Accept(Over()).status().code(), kCancelled);
    Must(listener.Accept());
    const int before = OpenSockets();
    const absl::Status dialled = Dial(Over(), "tcp", listener.Addr()).status();
    EXPECT_EQ(dialled, absl::CancelledError("dial tcp " + listener.Addr() + ": context canceled"));
    EXPECT_EQ(OpenSockets(), before);
  });
}

TEST(ConnContext, EndsAWriteThatWaitsAndSaysHowMuchHasGone) {
  InGort([] {
    auto pair = TcpPair();
    auto scope = WithCancel(Background());
    size_t written = 0;
    absl::Status got;
    Probe writer([&] { got = pair.client.Write(scope.first, Much(), &written).status(); });
    EXPECT_TRUE(Parked(1));
    scope.second();
    EXPECT_TRUE(writer.Finish());
    EXPECT_EQ(got.code(), kCancelled);
    EXPECT_GT(written, 0u);
    EXPECT_LT(written, Much().size());
    EXPECT_TRUE(pair.client.CloseWrite().ok());
    EXPECT_EQ(ReadN(pair.server, Much().size()).size(), written);
  });
}

TEST(ConnContext, EndsAnAcceptAndTheListenerGoesOn) {
  InGort([] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    auto scope = WithCancel(Background());
    absl::Status got;
    Probe accepting([&] { got = listener.Accept(scope.first).status(); });
    EXPECT_TRUE(Parked(1));
    scope.second();
    EXPECT_TRUE(accepting.Finish());
    EXPECT_EQ(got.code(), kCancelled);
    Conn conn = Must(Dial(Background(), "tcp", listener.Addr()));
    EXPECT_EQ(Must(listener.Accept(Background())).RemoteAddr(), conn.LocalAddr());
  });
}

TEST(ConnContext, EndsAReadFromAndTheSocketGoesOn) {
  InGort([] {
    PacketConn socket = Must(ListenPacket("udp", "127.0.0.1:0"));
    auto scope = WithCancel(Background());
    char buf[8];
    absl::Status got;
    Probe reading([&] { got = socket.ReadFrom(scope.first, absl::MakeSpan(buf)).status(); });
    EXPECT_TRUE(Parked(1));
    scope.second();
    EXPECT_TRUE(reading.Finish());
    EXPECT_EQ(got.code(), kCancelled);
    Must(socket.WriteTo("abc", socket.LocalAddr()));
    EXPECT_EQ(Must(socket.ReadFrom(absl::MakeSpan(buf))).size, 3u);
  });
}

TEST(ConnContext, EndsOneSideAndNotTheOther) {
  InGort([] {
    auto pair = TcpPair();
    auto scope = WithCancel(Background());
    char buf[8];
    absl::Status read;
    absl::Status write;
    Probe reader([&] { read = pair.client.Read(scope.first, absl::MakeSpan(buf)).status(); });
    Probe writer([&] { write = pair.client.Write(Much()).status(); });
    EXPECT_TRUE(Parked(2));
    scope.second();
    EXPECT_TRUE(reader.Finish());
    EXPECT_EQ(read.code(), kCancelled);
    EXPECT_FALSE(writer.done());
    EXPECT_TRUE(pair.client.Close().ok());
    EXPECT_TRUE(writer.Finish());
    EXPECT_EQ(write.code(), kCancelled);  // by Close
  });
}

TEST(ConnContext, AFormerCallsContextEndsNoLaterOne) {
  InGort([] {
    auto pair = TcpPair();
    auto scope = WithCancel(Background());
    char buf[8];
    Probe reader([&] {  // waits, and ends by data
      EXPECT_EQ(Must(pair.client.Read(scope.first, absl::MakeSpan(buf))), 1u);
    });
    EXPECT_TRUE(Parked(1));
    Must(pair.server.Write("1"));
    EXPECT_TRUE(reader.Finish());
    Probe later([&] { EXPECT_EQ(Must(pair.client.Read(absl::MakeSpan(buf))), 1u); });
    EXPECT_TRUE(Parked(1));
    scope.second();
    EXPECT_FALSE(later.done());
    Must(pair.server.Write("2"));
    EXPECT_TRUE(later.Finish());
  });
}

TEST(ConnContext, DialEndsInEachPhase) {
  InGort([] {
    fake_lookup.Set("slow", {0, 0, {Must(SocketAddr::Parse("127.0.0.1:1"))}, /*held=*/true});
    FullListener full;
    const int before = OpenSockets();
    for (const std::string& address : {std::string("slow:80"), full.Addr()}) {
      auto scope = WithCancel(Background());
      absl::Status got;
      Probe dialling([&] { got = Dial(scope.first, "tcp", address).status(); });
      EXPECT_TRUE(Parked(1));
      scope.second();
      EXPECT_TRUE(dialling.Finish());
      EXPECT_EQ(got, absl::CancelledError("dial tcp " + address + ": context canceled"));
      auto [soon, cancel] = WithTimeout(Background(), absl::Milliseconds(5));
      EXPECT_EQ(Dial(soon, "tcp", address).status(),
                absl::DeadlineExceededError("dial tcp " + address + ": context deadline exceeded"));
      cancel();
    }
    fake_lookup.Release(2);
    EXPECT_TRUE(Eventually([] { return fake_lookup.Inside() == 0; }));
    EXPECT_EQ(OpenSockets(), before);
  });
}

TEST(ConnContext, FromAForeignThread) {
  InGort([] {
    auto pair = TcpPair();
    auto scope = WithCancel(Background());
    std::atomic<int> code{0};
    std::thread reader = testing::AttachedThread([&] {
      char buf[8];
      code = static_cast<int>(pair.client.Read(scope.first, absl::MakeSpan(buf)).status().code());
    });
    EXPECT_TRUE(Parked(1));
    scope.second();
    reader.join();
    EXPECT_EQ(code, static_cast<int>(kCancelled));
  });
}

// One byte at a time, and a cancellation at about the same time: each byte arrives once, in order.
TEST(ConnContext, NoByteIsLostWhenDataAndCancellationRace) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const int rounds = testing::Slow() ? 500 : 5000;
  for (int procs : {1, 4}) {
    InGort([&] {
      testing::Procs p(procs);
      auto pair = TcpPair();
      std::minstd_rand random(seed);
      int received = 0;
      const auto read = [&](const Context& ctx) {
        char c = 0;
        absl::StatusOr<size_t> n = pair.client.Read(ctx, absl::MakeSpan(&c, 1));
        if (!n.ok()) {
          EXPECT_EQ(n.status().code(), kCancelled) << n.status();
          return;
        }
        EXPECT_EQ(c, static_cast<char>(received & 127));
        ++received;
      };
      for (int sent = 0; sent < rounds; ++sent) {
        auto scope = WithCancel(Background());
        const unsigned spin = random() % 64;
        WaitGroup wg;
        wg.Go([&, sent] {
          const char c = static_cast<char>(sent & 127);
          Must(pair.server.Write(std::string_view(&c, 1)));
        });
        wg.Go([&] {
          for (std::atomic<unsigned> i{0}; i < spin; ++i) {
          }
          scope.second();
        });
        while (received <= sent && scope.first.Err().ok()) read(scope.first);
        wg.Wait();
        while (received <= sent) read(Background());
      }
    });
  }
}

}  // namespace
}  // namespace gort
