// Listening: what an address that is taken says, how many wait for Accept, when a unix socket's
// file goes, and what connections inherit.
#include "gort/net/listen.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/net/dial.h"
#include "gort/net/testing/testing.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::InGort;
using testing::IntOption;
using testing::Must;
using testing::OpenSockets;
using testing::Probe;
using testing::SocketBetween;
using testing::SocketOf;

constexpr absl::StatusCode kAfterClose = absl::StatusCode::kFailedPrecondition;

std::string Path(const char* name) {
  return "/tmp/gort_listen_" + std::to_string(getpid()) + "_" + name;
}
bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// ---- addresses ----

TEST(Listen, WhatIsTakenAndWhatIsFreeAgain) {
  InGort([] {
    const std::string path = Path("taken");
    for (const auto& [network, address] :
         {std::pair<const char*, std::string>{"tcp", "127.0.0.1:0"},
          {"unix", path},
          {"unix", "@" + path}}) {
      Listener first = Must(Listen(network, address));
      const std::string addr = first.Addr();
      const absl::Status s = Listen(network, addr).status();
      EXPECT_EQ(s.message(),
                std::string("listen ") + network + ' ' + addr + ": bind: Address already in use");
      EXPECT_TRUE(Dial(network, addr).ok()) << "the first is not hurt by the second";
      EXPECT_TRUE(first.Close().ok());
      EXPECT_TRUE(Listen(network, addr).ok()) << "free at once";
    }
  });
}

TEST(Listen, RefusedAndNamed) {
  InGort([] {
    const int before = OpenSockets();
    struct Case {
      const char* network;
      const char* address;
      absl::StatusCode code;
      const char* message;
    };
    const Case cases[] = {
        {"upd", ":0", absl::StatusCode::kInvalidArgument, "listen: unknown network \"upd\""},
        {"udp", ":0", absl::StatusCode::kInvalidArgument,
         "listen: network \"udp\" has no connections; use ListenPacket"},
        {"tcp", "127.0.0.1", absl::StatusCode::kInvalidArgument,
         "listen tcp: address \"127.0.0.1\": missing port in address"},
        {"unix", "/nonexistent/x", absl::StatusCode::kNotFound,
         "listen unix /nonexistent/x: bind: No such file or directory"},
        {"tcp", "192.0.2.1:0", absl::ErrnoToStatusCode(EADDRNOTAVAIL),
         "listen tcp 192.0.2.1:0: bind: Cannot assign requested address"},
    };
    for (const Case& c : cases) {
      const absl::Status s = Listen(c.network, c.address).status();
      EXPECT_EQ(s.code(), c.code) << s;
      EXPECT_EQ(s.message(), c.message);
    }
    EXPECT_EQ(OpenSockets(), before);
  });
}

// ---- the file of a unix socket ----

TEST(ListenUnix, WhoRemovesTheFile) {
  struct Case {
    const char* what;
    bool removed;
    void (*end)(Listener&, const std::string& path);
  };
  const Case cases[] = {
      {"Close", true, [](Listener& l, const std::string&) { EXPECT_TRUE(l.Close().ok()); }},
      {"the end of the object", true, [](Listener& l, const std::string&) { l = Listener(); }},
      {"an object that it was moved to", false,
       [](Listener& l, const std::string& path) {
         Listener other = std::move(l);
         EXPECT_TRUE(Exists(path));
         EXPECT_EQ(l.Close().code(), kAfterClose);  // NOLINT(bugprone-use-after-move)
         EXPECT_TRUE(Exists(path));
         l = std::move(other);
       }},
  };
  InGort([&] {
    for (const Case& c : cases) {
      const std::string path = Path("file");
      Listener listener = Must(Listen("unix", path));
      ASSERT_TRUE(Exists(path)) << c.what;
      c.end(listener, path);
      EXPECT_EQ(!Exists(path), c.removed) << c.what;
    }
    // Closed already: what stands there now is somebody else's.
    const std::string path = Path("other");
    Listener first = Must(Listen("unix", path));
    EXPECT_TRUE(first.Close().ok());
    Listener second = Must(Listen("unix", path));
    EXPECT_EQ(first.Close().code(), kAfterClose);
    first = Listener();
    EXPECT_TRUE(Exists(path));
    // A file that was there before stays, and so does one whose name is not a path.
    const std::string stale = Path("stale");
    ASSERT_EQ(close(open(stale.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    EXPECT_FALSE(Listen("unix", stale).ok());
    EXPECT_TRUE(Exists(stale));
    unlink(stale.c_str());
    const std::string name = Path("abstract");
    { Listener abstract = Must(Listen("unix", "@" + name)); }
    EXPECT_FALSE(Exists(name));
  });
}

// ---- the queue ----

// How many connections are made while nobody accepts, up to 40.
int Queued(int backlog) {
  ListenOptions options;
  options.backlog = backlog;
  Listener listener = Must(Listen("unix", "@" + Path("queue"), options));
  std::vector<Conn> queued;
  while (queued.size() < 40) {
    absl::StatusOr<Conn> c = Dial("unix", listener.Addr());
    if (!c.ok()) {
      // A unix socket's full queue does not make the caller wait.
      EXPECT_EQ(c.status().code(), absl::StatusCode::kUnavailable) << c.status();
      break;
    }
    queued.push_back(*std::move(c));
  }
  return static_cast<int>(queued.size());
}

TEST(Listen, TheBacklogIsTheKernels) {
  InGort([] {
    EXPECT_EQ(Queued(1), 2);  // Linux lets one more in
    EXPECT_EQ(Queued(7), 8);
    EXPECT_EQ(Queued(0), 40);   // as many as the kernel allows
    EXPECT_EQ(Queued(-1), 40);  // no number either
    EXPECT_EQ(Queued(1 << 30), 40);
  });
}

// ---- accepting ----

TEST(Listener, ConnectionsInheritItsOptions) {
  struct Case {
    absl::Duration keep_alive;
    int on;
    int seconds;
  };
  const Case cases[] = {
      {absl::Seconds(15), 1, 15}, {absl::Seconds(40), 1, 40}, {absl::ZeroDuration(), 0, 0}};
  InGort([&] {
    for (const Case& c : cases) {
      ListenOptions options;
      EXPECT_EQ(options.keep_alive, absl::Seconds(15));
      options.keep_alive = c.keep_alive;
      Listener listener = Must(Listen("tcp", "127.0.0.1:0", options));
      EXPECT_EQ(IntOption(SocketBetween(listener.Addr(), ""), SOL_SOCKET, SO_REUSEPORT), 0);
      Conn client = Must(Dial("tcp", listener.Addr()));
      Conn conn = Must(listener.Accept());
      const int fd = SocketOf(conn);
      ASSERT_GE(fd, 0);
      EXPECT_EQ(IntOption(fd, IPPROTO_TCP, TCP_NODELAY), 1);
      EXPECT_EQ(IntOption(fd, SOL_SOCKET, SO_KEEPALIVE), c.on) << c.keep_alive;
      if (c.on != 0) {
        EXPECT_EQ(IntOption(fd, IPPROTO_TCP, TCP_KEEPIDLE), c.seconds);
      }
    }
    ListenOptions shared;
    shared.reuse_port = true;
    Listener listener = Must(Listen("tcp", "127.0.0.1:0", shared));
    EXPECT_EQ(IntOption(SocketBetween(listener.Addr(), ""), SOL_SOCKET, SO_REUSEPORT), 1);
  });
}

TEST(Listener, WithoutASocketAndAfterItsEnd) {
  InGort([] {
    Listener none;
    Listener closed = Must(Listen("tcp", "127.0.0.1:0"));
    const std::string addr = closed.Addr();
    EXPECT_TRUE(closed.Close().ok());
    for (Listener* l : {&none, &closed}) {
      EXPECT_EQ(l->Accept().status().code(), kAfterClose);
      EXPECT_EQ(l->SetDeadline(absl::InfiniteFuture()).code(), kAfterClose);
      EXPECT_EQ(l->Close().code(), kAfterClose);
    }
    EXPECT_EQ(none.Addr(), "");
    EXPECT_EQ(closed.Addr(), addr);
    EXPECT_EQ(none.Accept().status().message(), "accept: use of closed network connection");
    EXPECT_EQ(closed.Accept().status().message(),
              "accept tcp " + addr + ": use of closed network connection");
  });
}

TEST(Listener, CloseLeavesWhatWasAcceptedAndEndsTheQueue) {
  InGort([] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    Conn client = Must(Dial("tcp", listener.Addr()));
    Conn server = Must(listener.Accept());
    Conn queued = Must(Dial("tcp", listener.Addr()));
    EXPECT_TRUE(listener.Close().ok());
    Must(client.Write("x"));
    EXPECT_EQ(testing::ReadN(server, 1), "x");
    char c;
    EXPECT_FALSE(queued.Read(absl::MakeSpan(&c, 1)).ok());  // reset: nobody accepted it
  });
}

}  // namespace
}  // namespace gort
