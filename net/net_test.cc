// Listening, dialling, reading and writing, over TCP and unix sockets. UDP: packet_test.
#include "gort/net/net.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/net/testing/testing.h"
#include "gort/proc/go.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::Eventually;
using testing::InGort;
using testing::Must;
using testing::Pair;
using testing::Parked;
using testing::Procs;
using testing::ReadN;
using testing::TcpPair;

const int kRounds = gort::testing::Slow() ? 500 : 10'000;

std::string TempPath(const char* name) {
  return "/tmp/gort_net_" + std::to_string(getpid()) + "_" + name;
}

void Echo(Conn conn) {
  char buf[4096];
  for (;;) {
    absl::StatusOr<size_t> n = conn.Read(absl::MakeSpan(buf));
    if (!n.ok() || *n == 0) return;
    if (!conn.Write(std::string_view(buf, *n)).ok()) return;
  }
}

// Accepts until the listener is closed.
void ServeEcho(Listener* listener) {
  for (;;) {
    absl::StatusOr<Conn> conn = listener->Accept();
    if (!conn.ok()) return;
    Go([c = *std::move(conn)]() mutable { Echo(std::move(c)); });
  }
}

void PingPong(const char* network, const std::string& address) {
  WaitGroup wg;
  Listener listener = Must(Listen(network, address));
  wg.Go([&] { ServeEcho(&listener); });
  Conn conn = Must(Dial(network, listener.Addr()));
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = std::to_string(i);
    ASSERT_EQ(Must(conn.Write(text)), text.size());
    ASSERT_EQ(ReadN(conn, text.size()), text);
  }
  EXPECT_TRUE(conn.Close().ok());
  EXPECT_TRUE(listener.Close().ok());
  wg.Wait();
}

TEST(Net, EchoesOverTcp) {
  for (int procs : {1, 4}) {
    InGort([&] {
      Procs p(procs);
      PingPong("tcp", "127.0.0.1:0");
    });
  }
}

TEST(Net, EchoesOverUnix) {
  InGort([] {
    const std::string path = TempPath("echo");
    PingPong("unix", path);
    EXPECT_NE(access(path.c_str(), F_OK), 0);  // removed by Close
    PingPong("unix", "@" + path.substr(1));
  });
}

TEST(Net, AddressesAreThoseOfBothEnds) {
  InGort([] {
    Pair p = TcpPair();
    EXPECT_EQ(p.client.LocalAddr(), p.server.RemoteAddr());
    EXPECT_EQ(p.client.RemoteAddr(), p.server.LocalAddr());
    EXPECT_EQ(p.client.LocalAddr().rfind("127.0.0.1:", 0), 0u);
    const std::string local = p.client.LocalAddr();
    EXPECT_TRUE(p.client.Close().ok());
    EXPECT_EQ(p.client.LocalAddr(), local);
  });
}

TEST(Net, AWildcardServesBothFamilies) {
  InGort([] {
    WaitGroup wg;
    Listener listener = Must(Listen("tcp", ":0"));
    wg.Go([&] { ServeEcho(&listener); });
    const std::string port = listener.Addr().substr(listener.Addr().rfind(':'));
    for (const std::string& host : {std::string("127.0.0.1"), std::string("[::1]")}) {
      if (host == "[::1]" && listener.Addr()[0] != '[') continue;  // no IPv6 here
      Conn conn = Must(Dial("tcp", host + port));
      Must(conn.Write("x"));
      EXPECT_EQ(ReadN(conn, 1), "x");
    }
    Conn conn = Must(Dial("tcp", port));  // no host: this machine
    EXPECT_EQ(conn.RemoteAddr(), "127.0.0.1" + port);
    listener.Close().IgnoreError();
    wg.Wait();
  });
}

TEST(Net, NamesAreLookedUp) {
  InGort([] {
    WaitGroup wg;
    Listener listener = Must(Listen("tcp", "localhost:0"));
    wg.Go([&] { ServeEcho(&listener); });
    const std::string port = listener.Addr().substr(listener.Addr().rfind(':'));
    Conn conn = Must(Dial("tcp", "localhost" + port, absl::Seconds(20)));
    Must(conn.Write("x"));
    EXPECT_EQ(ReadN(conn, 1), "x");
    listener.Close().IgnoreError();
    wg.Wait();
    absl::StatusOr<Conn> none = Dial("tcp", "no-such-host.invalid:80", absl::Seconds(60));
    ASSERT_FALSE(none.ok());
    EXPECT_NE(none.status().message().find("lookup \"no-such-host.invalid\""), std::string::npos)
        << none.status();
  });
}

TEST(Net, BadWordsAreNamed) {
  InGort([] {
    struct Case {
      const char* network;
      const char* address;
      const char* message;
    };
    const Case dials[] = {
        {"tpc", "127.0.0.1:1", "dial: unknown network \"tpc\""},
        {"tcp", "127.0.0.1", "dial tcp: address \"127.0.0.1\": missing port in address"},
        {"tcp", "127.0.0.1:", "dial tcp: address \"127.0.0.1:\": missing port in address"},
        {"tcp", "127.0.0.1:70000",
         "dial tcp: address \"127.0.0.1:70000\": invalid port, not in 0 … 65535"},
        {"tcp", "127.0.0.1:-1",
         "dial tcp: address \"127.0.0.1:-1\": invalid port, not in 0 … 65535"},
        {"tcp4", "[::1]:1", "dial tcp4: address \"[::1]:1\": not an IPv4 address"},
        {"tcp6", "127.0.0.1:1", "dial tcp6: address \"127.0.0.1:1\": not an IPv6 address"},
        {"tcp", "a b:1", "dial tcp: address \"a b:1\": not a host name"},
        {"unix", "", "dial unix: address \"\": a unix socket needs a name"},
    };
    for (const Case& c : dials) {
      absl::StatusOr<Conn> conn = Dial(c.network, c.address);
      ASSERT_FALSE(conn.ok()) << c.address;
      EXPECT_EQ(conn.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(conn.status().message(), c.message);
    }
    EXPECT_EQ(Listen("udp", ":0").status().message(),
              "listen: network \"udp\" has no connections; use ListenPacket");
    EXPECT_EQ(ListenPacket("tcp", ":0").status().message(),
              "listen: network \"tcp\" has no datagrams; use Listen");
  });
}

TEST(Net, RefusalsSayWho) {
  InGort([] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    const std::string addr = listener.Addr();
    absl::StatusOr<Listener> second = Listen("tcp", addr);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.status().message(), "listen tcp " + addr + ": bind: Address already in use");
    EXPECT_TRUE(listener.Close().ok());
    absl::StatusOr<Conn> conn = Dial("tcp", addr);
    ASSERT_FALSE(conn.ok());
    EXPECT_EQ(conn.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(conn.status().message(), "dial tcp " + addr + ": connect: Connection refused");
    EXPECT_TRUE(Listen("tcp", addr).ok());  // free at once
    const std::string path = TempPath("nobody");
    EXPECT_EQ(Dial("unix", path).status().message(),
              "dial unix " + path + ": connect: No such file or directory");
  });
}

TEST(Net, SeveralListenersMayShareAPort) {
  InGort([] {
    ListenOptions options;
    options.reuse_port = true;
    Listener a = Must(Listen("tcp", "127.0.0.1:0", options));
    Listener b = Must(Listen("tcp", a.Addr(), options));
    EXPECT_EQ(a.Addr(), b.Addr());
    EXPECT_FALSE(Listen("tcp", a.Addr()).ok());
  });
}

TEST(Net, OptionsReachTheSocket) {
  InGort([] {
    Pair p = TcpPair();
    EXPECT_TRUE(p.server.SetNoDelay(false).ok());
    EXPECT_TRUE(p.server.SetKeepAlive(absl::Seconds(30)).ok());
    EXPECT_TRUE(p.server.SetKeepAlive(absl::ZeroDuration()).ok());
    EXPECT_TRUE(p.server.SetReadBuffer(4096).ok());
    EXPECT_TRUE(p.server.SetWriteBuffer(4096).ok());
    EXPECT_TRUE(p.server.SetLinger(0).ok());
    EXPECT_TRUE(p.server.SetLinger(-1).ok());
  });
}

TEST(Net, HalfCloseLeavesTheOtherDirection) {
  InGort([] {
    Pair p = TcpPair();
    Must(p.client.Write("question"));
    EXPECT_TRUE(p.client.CloseWrite().ok());
    EXPECT_EQ(ReadN(p.server, 100), "question");
    Must(p.server.Write("answer"));
    EXPECT_TRUE(p.server.CloseWrite().ok());
    EXPECT_EQ(ReadN(p.client, 100), "answer");
    char c;
    EXPECT_EQ(*p.client.Read(absl::MakeSpan(&c, 1)), 0u);
    EXPECT_EQ(*p.client.Read(absl::MakeSpan(&c, 1)), 0u);
    EXPECT_FALSE(p.client.Write("x").ok());
  });
}

TEST(Net, EmptyReadsAndWritesReturnAtOnce) {
  InGort([] {
    Pair p = TcpPair();
    EXPECT_EQ(*p.client.Write(""), 0u);
    EXPECT_EQ(*p.client.Read({}), 0u);
    EXPECT_EQ(*p.client.Writev({}), 0u);
    const std::string_view nothing[] = {"", "", ""};
    EXPECT_EQ(*p.client.Writev(nothing), 0u);
  });
}

// Written with a peer that is gone: an error, and the process lives.
TEST(Net, AResetIsAnErrorAndNoSignal) {
  InGort([] {
    Pair p = TcpPair();
    EXPECT_TRUE(p.server.SetLinger(0).ok());
    EXPECT_TRUE(p.server.Close().ok());
    char c;
    absl::StatusOr<size_t> n = p.client.Read(absl::MakeSpan(&c, 1));
    ASSERT_FALSE(n.ok());
    EXPECT_EQ(n.status().message(), "read tcp " + p.client.LocalAddr() + "->" +
                                        p.client.RemoteAddr() + ": Connection reset by peer");
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(p.client.Write("x").ok());
    const std::string_view pieces[] = {"x", "y"};
    EXPECT_FALSE(p.client.Writev(pieces).ok());
  });
}

// What is there before the first read is there as one edge: a read that gets less than it asked for
// must not take that for the whole when an end, a reset or urgent data stands behind.
TEST(Net, AnEndBehindTheDataIsSeen) {
  InGort([] {
    for (int i = 0; i < kRounds / 50; ++i) {
      Pair p = TcpPair();
      Must(p.client.Write("all"));
      if (i % 2 == 0) {
        EXPECT_TRUE(p.client.CloseWrite().ok());
      } else {
        EXPECT_TRUE(p.client.Close().ok());
      }
      if (i % 4 < 2) testing::Yield();
      char buf[100];
      ASSERT_EQ(Must(p.server.Read(absl::MakeSpan(buf))), 3u);
      ASSERT_EQ(Must(p.server.Read(absl::MakeSpan(buf))), 0u);
      ASSERT_EQ(Must(p.server.Read(absl::MakeSpan(buf))), 0u);
    }
  });
}

TEST(Net, DataBehindUrgentDataIsSeen) {
  InGort([] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    const SocketAddr to = Must(SocketAddr::Parse(listener.Addr()));
    for (int i = 0; i < 20; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      ASSERT_EQ(connect(fd, to.raw(), to.size()), 0);
      Conn conn = Must(listener.Accept());
      ASSERT_EQ(send(fd, "before", 6, 0), 6);
      ASSERT_EQ(send(fd, "!", 1, MSG_OOB), 1);
      ASSERT_EQ(send(fd, "after", 5, 0), 5);
      EXPECT_EQ(ReadN(conn, 11), "beforeafter");
      close(fd);
    }
  });
}

// Reads of every length relative to what comes, so that short and full ones alternate.
TEST(Net, ReadsOfAnyLengthSeeAll) {
  for (int procs : {1, 4}) {
    InGort([procs] {
      Procs limit(procs);
      Pair p = TcpPair();
      WaitGroup wg;
      const size_t total = static_cast<size_t>(kRounds) * 10;
      wg.Go([&] {
        size_t sent = 0;
        for (size_t n = 1; sent < total; n = n * 7 % 31 + 1) {
          std::string piece;
          for (size_t i = 0; i < n && sent < total; ++i) piece += static_cast<char>(sent++ % 251);
          Must(p.client.Write(piece));
          if (n % 3 == 0) testing::Yield();
        }
        p.client.CloseWrite().IgnoreError();
      });
      char buf[32];
      size_t got = 0;
      for (size_t n = 1;; n = n * 5 % 31 + 1) {
        const size_t k = Must(p.server.Read(absl::MakeSpan(buf, n)));
        if (k == 0) break;
        for (size_t i = 0; i < k; ++i) ASSERT_EQ(buf[i], static_cast<char>(got++ % 251));
      }
      wg.Wait();
      EXPECT_EQ(got, total);
    });
  }
}

TEST(Net, OneByteSegments) {
  InGort([] {
    Pair p = TcpPair();
    WaitGroup wg;
    const int n = kRounds;
    wg.Go([&] {
      for (int i = 0; i < n; ++i) Must(p.client.Write(std::string(1, static_cast<char>(i))));
      p.client.CloseWrite().IgnoreError();
    });
    char c;
    for (int i = 0; i < n; ++i) {
      ASSERT_EQ(Must(p.server.Read(absl::MakeSpan(&c, 1))), 1u);
      ASSERT_EQ(c, static_cast<char>(i));
    }
    EXPECT_EQ(*p.server.Read(absl::MakeSpan(&c, 1)), 0u);
    wg.Wait();
  });
}

// More than the kernel's buffers hold, to a reader that takes its time: the writer waits.
TEST(Net, ASlowReaderHoldsTheWriterUp) {
  InGort([] {
    Pair p = TcpPair();
    WaitGroup wg;
    p.client.SetWriteBuffer(16 << 10).IgnoreError();
    std::string data(4 << 20, '\0');
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 2654435761u >> 24);
    std::atomic<bool> written{false};
    wg.Go([&] {
      EXPECT_EQ(Must(p.client.Write(data)), data.size());
      written = true;
      p.client.CloseWrite().IgnoreError();
    });
    EXPECT_TRUE(Parked(1));
    EXPECT_FALSE(written);
    std::string got;
    std::vector<char> buf(10'000);
    for (;;) {
      const size_t n = Must(p.server.Read(absl::MakeSpan(buf)));
      if (n == 0) break;
      got.append(buf.data(), n);
      testing::Yield();
    }
    wg.Wait();
    EXPECT_TRUE(got == data);
    EXPECT_TRUE(written);
  });
}

TEST(Net, VectoredWritesKeepTheirOrder) {
  InGort([] {
    Pair p = TcpPair();
    WaitGroup wg;
    p.client.SetWriteBuffer(4096).IgnoreError();
    std::vector<std::string> owned;
    std::string want;
    for (int i = 0; i < 1000; ++i) {
      owned.push_back(
          std::string(static_cast<size_t>(i * 37 % 1500), static_cast<char>('a' + i % 26)));
      want += owned.back();
    }
    std::vector<std::string_view> pieces(owned.begin(), owned.end());
    wg.Go([&] {
      EXPECT_EQ(Must(p.client.Writev(pieces)), want.size());
      p.client.CloseWrite().IgnoreError();
    });
    EXPECT_TRUE(ReadN(p.server, want.size() + 1) == want);
    wg.Wait();
  });
}

TEST(Net, ConcurrentWritesDoNotMix) {
  InGort([] {
    Procs procs(4);
    Pair p = TcpPair();
    WaitGroup wg;
    constexpr int kWriters = 8;
    constexpr size_t kSize = 50'000;
    const int n = kRounds / 500;
    std::atomic<int> done{0};
    for (int w = 0; w < kWriters; ++w) {
      wg.Go([&, w] {
        const std::string data(kSize, static_cast<char>('a' + w));
        for (int i = 0; i < n; ++i) Must(p.client.Write(data));
        if (++done == kWriters) p.client.CloseWrite().IgnoreError();
      });
    }
    int blocks = 0;
    for (;;) {
      const std::string block = ReadN(p.server, kSize);
      if (block.empty()) break;
      ASSERT_TRUE(block == std::string(kSize, block[0]));
      ++blocks;
    }
    wg.Wait();
    EXPECT_EQ(blocks, n * kWriters);
  });
}

// ---- out of descriptors ----

TEST(NetAccept, SurvivesHavingNoDescriptors) {
  InGort([] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    Conn client = Must(Dial("tcp", listener.Addr()));
    rlimit before;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int lowest = dup(0);
    close(lowest);
    const rlimit none{static_cast<rlim_t>(lowest), before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    const absl::Time start = absl::Now();
    absl::StatusOr<Conn> conn = listener.Accept();
    const absl::Duration took = absl::Now() - start;
    ASSERT_FALSE(conn.ok());
    EXPECT_EQ(conn.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(conn.status().message(), "accept tcp " + listener.Addr() + ": Too many open files");
    EXPECT_GE(took, absl::Milliseconds(5));
    EXPECT_FALSE(listener.Accept().ok());
    // The pause of a later one is ended by Close.
    std::atomic<bool> done{false};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    Conn server = Must(listener.Accept());  // it waited in the queue
    Must(client.Write("x"));
    EXPECT_EQ(ReadN(server, 1), "x");
    Conn next = Must(Dial("tcp", listener.Addr()));
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    Go([&] {
      while (listener.Accept().status().code() == absl::StatusCode::kResourceExhausted) {
      }
      done = true;
    });
    EXPECT_TRUE(Parked(1));
    EXPECT_TRUE(listener.Close().ok());
    EXPECT_TRUE(Eventually([&] { return done.load(); }));
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  });
}

// ---- threads that are no goroutines ----

TEST(NetChrono, TimesOfTheStandardLibrary) {
  InGort([] {
    constexpr absl::StatusCode kTimeout = absl::StatusCode::kDeadlineExceeded;
    const auto past = std::chrono::system_clock::now() - std::chrono::seconds(1);
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    EXPECT_TRUE(listener.SetDeadline(past).ok());
    EXPECT_EQ(listener.Accept().status().code(), kTimeout);
    PacketConn packets = Must(ListenPacket("udp", "127.0.0.1:0"));
    char c;
    EXPECT_TRUE(packets.SetReadDeadline(past).ok());
    EXPECT_EQ(packets.ReadFrom(absl::MakeSpan(&c, 1)).status().code(), kTimeout);
    EXPECT_TRUE(packets.SetWriteDeadline(past).ok());
    EXPECT_EQ(packets.WriteTo("x", packets.LocalAddr()).status().code(), kTimeout);
    EXPECT_TRUE(packets.SetDeadline(past + std::chrono::hours(1)).ok());
    EXPECT_TRUE(packets.WriteTo("x", packets.LocalAddr()).ok());
    Conn conn = Must(Dial("tcp", listener.Addr(), std::chrono::seconds(20)));
    EXPECT_TRUE(conn.SetKeepAlive(std::chrono::minutes(1)).ok());
    EXPECT_TRUE(conn.WithFd([](int fd) {
                      int idle = 0;
                      socklen_t n = sizeof(idle);
                      EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &n), 0);
                      EXPECT_EQ(idle, 60);
                    })
                    .ok());
  });
}

TEST(NetForeign, ThreadsServeAndDial) {
  InGort([] {});
  Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
  std::thread server([&] { Echo(Must(listener.Accept())); });
  {
    Conn conn = Must(Dial("tcp", listener.Addr(), std::chrono::seconds(20)));
    for (int i = 0; i < kRounds / 10; ++i) {
      Must(conn.Write("ping"));
      ASSERT_EQ(ReadN(conn, 4), "ping");
    }
    EXPECT_TRUE(
        conn.SetReadDeadline(std::chrono::system_clock::now() + std::chrono::milliseconds(2)).ok());
    char c;
    EXPECT_EQ(conn.Read(absl::MakeSpan(&c, 1)).status().code(),
              absl::StatusCode::kDeadlineExceeded);
  }
  server.join();
  std::thread accepting(
      [&] { EXPECT_EQ(listener.Accept().status().code(), absl::StatusCode::kCancelled); });
  EXPECT_TRUE(Parked(1));
  EXPECT_TRUE(listener.Close().ok());
  accepting.join();
}

TEST(NetForeign, AThreadTalksToAGoroutine) {
  Listener listener;
  std::thread client;
  InGort([&] {
    listener = Must(Listen("tcp", "127.0.0.1:0"));
    client = testing::AttachedThread([&] {
      Conn conn = Must(Dial("tcp", listener.Addr()));
      for (int i = 0; i < kRounds / 10; ++i) {
        Must(conn.Write("ping"));
        ASSERT_EQ(ReadN(conn, 4), "ping");
      }
    });
    Echo(Must(listener.Accept()));
  });
  client.join();
}

}  // namespace
}  // namespace gort
