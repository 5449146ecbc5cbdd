// TLS connections in use by several goroutines at once: both directions, new keys, contexts,
// deadlines, ends. What certificates do is in tls_test.py.
#include "gort/apps/tls/tls_conn.h"

#include <stdlib.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "gort/context/cancel_scope.h"
#include "gort/os/os.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/goroutines.h"
#include "gort/timer/timer.h"
#include "gtest/gtest.h"

namespace tls {
namespace {

using gort::Background;
using gort::testing::InGort;
using gort::testing::Probe;
using gort::testing::Procs;

// A certificate that signs itself, for "localhost".
const std::string& Certificate() {
  static const auto* const folder = [] {
    auto* made = new std::string(getenv("TEST_TMPDIR"));
    const auto done = gort::os::Output(
        Background(),
        {.args = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                  "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                  "-keyout", *made + "/key.pem", "-out", *made + "/cert.pem"}});
    EXPECT_TRUE(done.ok() && done->status.ok()) << done.status() << done->err;
    return made;
  }();
  return *folder;
}

// Both ends of a connection.
struct Ends {
  Ends() {
    const std::string cert = Certificate() + "/cert.pem";
    Settings serves = *Load({.cert = cert, .key = Certificate() + "/key.pem"});
    Settings asks = *Load({.ca = cert});
    gort::Listener listener = *gort::Listen("tcp", "127.0.0.1:0");
    auto dialled = gort::Spawn([&] {
      return *Conn::Open(Background(), *gort::Dial("tcp", listener.Addr()), asks, "localhost");
    });
    server = *Conn::Open(Background(), *listener.Accept(), serves, nullptr);
    client = dialled.Get();
  }
  std::unique_ptr<Conn> client, server;
};

// Sends `size` bytes that tell their place, in pieces of changing sizes.
void Send(Conn* conn, size_t size) {
  std::string piece;
  for (size_t done = 0; done < size; done += piece.size()) {
    piece.resize(std::min(size - done, done * 7 % 40'000 + 1));
    for (size_t i = 0; i < piece.size(); ++i) piece[i] = static_cast<char>((done + i) * 31 >> 3);
    ASSERT_TRUE(conn->Write(piece).ok());
  }
  ASSERT_TRUE(conn->CloseWrite().ok());
}

// Receives them until the end.
size_t Receive(Conn* conn) {
  size_t got = 0;
  char buf[10'000];
  for (;;) {
    absl::StatusOr<size_t> n = conn->Read(absl::MakeSpan(buf));
    EXPECT_TRUE(n.ok()) << n.status();
    if (!n.ok() || *n == 0) return got;
    for (size_t i = 0; i < *n; ++i) {
      if (buf[i] != static_cast<char>((got + i) * 31 >> 3)) return got + i;
    }
    got += *n;
  }
}

TEST(TlsConnTest, BothDirectionsAreWholeAtOnceAndEachHasAnEnd) {
  for (int procs : {1, 8}) {
    InGort([procs] {
      constexpr size_t kBytes = size_t{GORT_TEST_SANITIZED ? 2 : 8} << 20;
      Procs p(procs);
      Ends ends;
      size_t at_server = 0, at_client = 0;
      gort::WaitGroup wg;
      wg.Go([&] { Send(ends.client.get(), kBytes); });
      wg.Go([&] { Send(ends.server.get(), kBytes); });
      wg.Go([&] { at_server = Receive(ends.server.get()); });
      wg.Go([&] { at_client = Receive(ends.client.get()); });
      wg.Wait();
      EXPECT_EQ(at_server, kBytes);
      EXPECT_EQ(at_client, kBytes);
      EXPECT_TRUE(ends.client->Close().ok());
      EXPECT_EQ(ends.client->Close().code(), absl::StatusCode::kFailedPrecondition);
    });
  }
}

TEST(TlsConnTest, WritesOfSeveralGoroutinesDoNotMix) {
  InGort([] {
    constexpr size_t kSize = 50'000;
    constexpr int kWriters = 8;
    Ends ends;
    gort::WaitGroup wg;
    for (char c = 'a'; c < 'a' + kWriters; ++c) {
      wg.Go([&ends, c] { ASSERT_TRUE(ends.client->Write(std::string(kSize, c)).ok()); });
    }
    std::string all(kWriters * kSize, '\0');
    ASSERT_TRUE(gort::ReadFull(*ends.server, absl::MakeSpan(&all[0], all.size())).ok());
    for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], all[i / kSize * kSize]) << i;
    wg.Wait();
  });
}

TEST(TlsConnTest, AReadThatIsGivenUpLosesNothing) {
  InGort([] {
    Ends ends;
    char buf[8];
    gort::CancelScope scope;
    absl::Status ended, turn, late;
    Probe reader([&] { ended = ends.server->Read(scope.context(), absl::MakeSpan(buf)).status(); });
    Probe queued([&] { turn = ends.server->Read(scope.context(), absl::MakeSpan(buf)).status(); });
    scope.Cancel();
    EXPECT_TRUE(reader.Finish() && queued.Finish());
    EXPECT_EQ(ended.code(), absl::StatusCode::kCancelled) << ended;
    EXPECT_EQ(turn.code(), absl::StatusCode::kCancelled) << turn;
    ASSERT_TRUE(ends.server->socket().SetReadDeadline(gort::Now() + absl::Milliseconds(1)).ok());
    late = ends.server->Read(absl::MakeSpan(buf)).status();
    EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded) << late;
    ASSERT_TRUE(ends.server->socket().SetReadDeadline(absl::InfiniteFuture()).ok());
    ASSERT_TRUE(ends.client->Write("hello").ok());
    EXPECT_EQ(ends.server->Read(absl::MakeSpan(buf)).value(), 5u);
  });
}

TEST(TlsConnTest, AWriteThatIsGivenUpTearsTheStream) {
  InGort([] {
    Ends ends;
    gort::CancelScope scope;
    absl::Status torn;
    Probe writer([&] {
      while (torn.ok())
        torn = ends.client->Write(scope.context(), std::string(1 << 20, 'x')).status();
    });
    scope.Cancel();
    EXPECT_TRUE(writer.Finish());
    EXPECT_EQ(torn.code(), absl::StatusCode::kCancelled) << torn;
    EXPECT_EQ(ends.client->Write("more").status(), torn);
    EXPECT_TRUE(ends.server->Write("the other direction").ok());
    char buf[32];
    EXPECT_EQ(ends.client->Read(absl::MakeSpan(buf)).value(), 19u);
    ends.client = nullptr;
    absl::StatusOr<size_t> n = 1;
    while (n.ok() && *n > 0) n = ends.server->Read(absl::MakeSpan(buf));
    EXPECT_FALSE(n.ok()) << "an end without a farewell";
  });
}

TEST(TlsConnTest, CloseEndsAReadAndAWriteThatWait) {
  InGort([] {
    Ends ends;
    absl::Status read, written;
    char buf[8];
    Probe reader([&] { read = ends.client->Read(absl::MakeSpan(buf)).status(); });
    Probe writer([&] {
      while (written.ok()) written = ends.client->Write(std::string(1 << 20, 'x')).status();
    });
    EXPECT_TRUE(ends.client->Close().ok());
    EXPECT_TRUE(reader.Finish() && writer.Finish());
    EXPECT_FALSE(read.ok());
    EXPECT_FALSE(written.ok());
  });
}

// Repeats a step of a peer that is not ours until it is done.
template <class Step>
void Must(SSL* ssl, Step step) {
  ASSERT_TRUE(gort::testing::Eventually([&] { return step() == 1; })) << SSL_get_error(ssl, -1);
}

// A request for new keys is answered after the record that has no room yet.
TEST(TlsConnTest, ReadsNewKeysWhileAWriteWaitsInTheMiddleOfARecord) {
  InGort([] {
    constexpr size_t kBytes = size_t{16} << 20;
    const Settings settings =
        *Load({.cert = Certificate() + "/cert.pem", .key = Certificate() + "/key.pem"});
    gort::Listener listener = *gort::Listen("tcp", "127.0.0.1:0");
    gort::Conn socket = *gort::Dial("tcp", listener.Addr());
    const std::shared_ptr<SSL> peer(SSL_new(settings.get()), &SSL_free);
    SSL* const ssl = peer.get();
    ASSERT_TRUE(socket.WithFd([ssl](int fd) { SSL_set_fd(ssl, fd); }).ok());
    auto opened = gort::Spawn(
        [&] { return *Conn::Open(Background(), *listener.Accept(), settings, nullptr); });
    Must(ssl, [ssl] { return SSL_connect(ssl); });
    const std::unique_ptr<Conn> conn = opened.Get();
    Probe writer([&] {
      EXPECT_TRUE(conn->Write(std::string(kBytes, 'x')).ok());
      EXPECT_TRUE(conn->Write("y").ok());
    });
    EXPECT_FALSE(writer.done());
    char buf[4096];
    for (int round = 0; round < 3; ++round) {
      ASSERT_EQ(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
      Must(ssl, [ssl] { return SSL_write(ssl, "hello", 5) == 5 ? 1 : 0; });
      EXPECT_EQ(conn->Read(absl::MakeSpan(buf)).value(), 5u);
    }
    EXPECT_FALSE(writer.done());
    for (size_t got = 0; got <= kBytes;) {
      int n = 0;
      Must(ssl, [&] { return (n = SSL_read(ssl, buf, sizeof buf)) > 0 ? 1 : 0; });
      got += static_cast<size_t>(n);
      ASSERT_EQ(buf[n - 1], got <= kBytes ? 'x' : 'y');
    }
    EXPECT_TRUE(writer.Finish());
  });
}

// A peer that says farewell before anything else is not one that has proved who it is.
TEST(TlsConnTest, AFarewellInTheHandshakeIsAFailure) {
  InGort([] {
    gort::Listener listener = *gort::Listen("tcp", "127.0.0.1:0");
    const std::string_view farewell("\x15\x03\x03\x00\x02\x01\x00", 7);
    for (const char* host : {"localhost", static_cast<const char*>(nullptr)}) {
      gort::Conn peer = *gort::Dial("tcp", listener.Addr());
      ASSERT_TRUE(peer.Write(farewell).ok());
      const auto made = Conn::Open(Background(), *listener.Accept(), *Load({}), host);
      EXPECT_EQ(made.status().code(), absl::StatusCode::kAborted) << made.status();
    }
  });
}

// What failed once is no end of the stream the next time.
TEST(TlsConnTest, AfterAFailureEachReadFails) {
  InGort([] {
    Ends ends;
    ASSERT_TRUE(ends.client->socket().Write("no record of TLS's").ok());
    char buf[8];
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(ends.server->Read(absl::MakeSpan(buf)).status().code(), absl::StatusCode::kAborted);
    }
  });
}

TEST(TlsConnTest, AServerNeedsAName) {
  InGort([] {
    gort::Listener listener = *gort::Listen("tcp", "127.0.0.1:0");
    const auto made = Conn::Open(Background(), *gort::Dial("tcp", listener.Addr()), *Load({}), "");
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
  });
}

}  // namespace
}  // namespace tls
