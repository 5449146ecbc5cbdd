// Descriptors that come in and go out: what FromFd takes and refuses, whose the descriptor is then,
// pipes, lending beside Close, Release, Dup, and hooks before bind and connect.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/context/context.h"
#include "gort/net/net.h"
#include "gort/net/testing/testing.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::InGort;
using testing::IntOption;
using testing::Must;
using testing::OpenSockets;
using testing::Parked;
using testing::Probe;
using testing::ReadN;
using testing::SocketOf;

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

struct Fds {
  int fd[2];
};
Fds PipeFds() {
  Fds p{};
  EXPECT_EQ(pipe(p.fd), 0);
  return p;
}
Fds SocketPair(int type) {
  Fds p{};
  EXPECT_EQ(socketpair(AF_UNIX, type, 0, p.fd), 0);
  return p;
}

TEST(FromFd, TakesStreamsOfEachKind) {
  InGort([] {
    struct Case {
      const char* what;
      Fds fds;
    };
    for (const Case& c : {Case{"pipe", PipeFds()}, Case{"unix", SocketPair(SOCK_STREAM)}}) {
      Conn to = Must(Conn::FromFd(c.fds.fd[1]));
      Conn from = Must(Conn::FromFd(c.fds.fd[0]));
      EXPECT_NE(fcntl(c.fds.fd[0], F_GETFL) & O_NONBLOCK, 0) << c.what;
      EXPECT_NE(fcntl(c.fds.fd[0], F_GETFD) & FD_CLOEXEC, 0) << c.what;
      std::string got;
      Probe reader([&] { got = ReadN(from, 11); });
      EXPECT_TRUE(Parked(1)) << c.what;
      Must(to.Write("hello"));
      const std::string_view pieces[] = {" ", "world"};
      Must(to.Writev(pieces));
      EXPECT_TRUE(reader.Finish()) << c.what;
      EXPECT_EQ(got, "hello world");
      EXPECT_TRUE(to.Close().ok());
      EXPECT_FALSE(IsOpen(c.fds.fd[1])) << c.what;
      EXPECT_EQ(ReadN(from, 1), "") << c.what;
    }
  });
}

TEST(FromFd, ATerminal) {
  InGort([] {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    ASSERT_GE(master, 0);
    ASSERT_EQ(grantpt(master), 0);
    ASSERT_EQ(unlockpt(master), 0);
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    ASSERT_GE(slave, 0);
    Conn keys = Must(Conn::FromFd(master));
    Conn program = Must(Conn::FromFd(slave));
    Must(keys.Write("line\n"));
    EXPECT_EQ(ReadN(program, 5), "line\n");
  });
}

TEST(FromFd, DatagramsKeepTheirBounds) {
  InGort([] {
    const Fds p = SocketPair(SOCK_DGRAM);
    Conn a = Must(Conn::FromFd(p.fd[0]));
    Conn b = Must(Conn::FromFd(p.fd[1]));
    Must(a.Write("one"));
    Must(a.Write("three"));
    char buf[16];
    EXPECT_EQ(Must(b.Read(absl::MakeSpan(buf))), 3u);
    EXPECT_EQ(Must(b.Read(absl::MakeSpan(buf))), 5u);
  });
}

TEST(FromFd, AConnectionHasItsAddresses) {
  InGort([] {
    auto pair = testing::TcpPair();
    const std::string local = pair.client.LocalAddr();
    const std::string remote = pair.client.RemoteAddr();
    Conn again = Must(Conn::FromFd(Must(pair.client.Release())));
    EXPECT_EQ(again.LocalAddr(), local);
    EXPECT_EQ(again.RemoteAddr(), remote);
    EXPECT_EQ(pair.client.Write("x").status().code(), absl::StatusCode::kFailedPrecondition);
    Must(again.Write("x"));
    EXPECT_EQ(ReadN(pair.server, 1), "x");
  });
}

// A socket as another library leaves it; Dial and Listen set both.
TEST(FromFd, SocketsOfTcpHaveNoDelayAndProbes) {
  InGort([] {
    const auto expect_set = [](int fd) {
      EXPECT_EQ(IntOption(fd, IPPROTO_TCP, TCP_NODELAY), 1);
      EXPECT_EQ(IntOption(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
      EXPECT_EQ(IntOption(fd, IPPROTO_TCP, TCP_KEEPIDLE), 15);
    };
    const int plain = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(listen(plain, 1), 0);
    Listener listener = Must(Listener::FromFd(plain));
    const std::string port = listener.Addr().substr(listener.Addr().rfind(':'));
    Conn client = Must(Dial("tcp", "127.0.0.1" + port));
    Conn accepted = Must(listener.Accept());
    ASSERT_TRUE(accepted.WithFd(expect_set).ok());
    const int fd = Must(accepted.Release());
    const int off = 0;
    ASSERT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof off), 0);
    ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof off), 0);
    ASSERT_TRUE(Must(Conn::FromFd(fd)).WithFd(expect_set).ok());
  });
}

TEST(FromFd, RefusesWithTheDescriptorsNumberAndLeavesItAsItWas) {
  InGort([] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    const int listening = Must(listener.Dup());
    const int connected = Must(testing::TcpPair().client.Dup());
    const int file = open("/proc/self/exe", O_RDONLY);
    const int lonely = socket(AF_INET, SOCK_STREAM, 0);
    const int netlink = socket(AF_NETLINK, SOCK_RAW, 0);
    const Fds p = PipeFds();
    const auto conn = [](int fd) { return Conn::FromFd(fd).status(); };
    const auto listen = [](int fd) { return Listener::FromFd(fd).status(); };
    const auto packet = [](int fd) { return PacketConn::FromFd(fd).status(); };
    struct Case {
      absl::Status (*take)(int);
      int fd;
      const char* why;
    };
    const Case cases[] = {
        {conn, -1, "is not open"},
        {conn, 100'000, "is not open"},
        {conn, file, "is a regular file or a directory, which is always ready"},
        {conn, listening, "is a listening socket; use Listener::FromFd"},
        {conn, lonely, "is a socket without a connection"},
        {conn, netlink, "is a socket of a family that gort does not know"},
        {listen, connected, "is a socket that does not listen"},
        {listen, p.fd[0], "is no socket"},
        {listen, -1, "is not open"},
        {packet, connected, "is no UDP socket"},
        {packet, file, "is no socket"},
    };
    for (const Case& c : cases) {
      const int status = fcntl(c.fd, F_GETFL);
      const int descriptor = fcntl(c.fd, F_GETFD);
      const absl::Status s = c.take(c.fd);
      EXPECT_EQ(s, absl::InvalidArgumentError("descriptor " + std::to_string(c.fd) + ' ' + c.why));
      EXPECT_EQ(fcntl(c.fd, F_GETFL), status) << s;
      EXPECT_EQ(fcntl(c.fd, F_GETFD), descriptor) << s;
    }
    // /dev/null is neither: the poller refuses it.
    const int null = open("/dev/null", O_RDWR);
    const absl::Status s = Conn::FromFd(null).status();
    EXPECT_EQ(s.message().find("descriptor " + std::to_string(null)), 0u) << s;
    EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument) << s;
    EXPECT_EQ(fcntl(null, F_GETFL) & O_NONBLOCK, 0);
    for (int fd : {listening, connected, file, lonely, netlink, p.fd[0], p.fd[1], null}) close(fd);
  });
}

TEST(FromFd, AWriteToAPipeThatNobodyReadsIsAnErrorAndNoSignal) {
  InGort([] {
    signal(SIGPIPE, SIG_DFL);
    const Fds p = PipeFds();
    Conn to = Must(Conn::FromFd(p.fd[1]));
    close(p.fd[0]);
    for (int i = 0; i < 2; ++i) {
      size_t written = 1;
      const absl::Status s = to.Write("x", &written).status();
      EXPECT_NE(s.message().find("Broken pipe"), absl::string_view::npos) << s;
      EXPECT_EQ(written, 0u);
    }
    sigset_t waiting;
    sigpending(&waiting);
    EXPECT_EQ(sigismember(&waiting, SIGPIPE), 0);
  });
}

TEST(FromFd, AnInheritedListenerAccepts) {
  InGort([] {
    const std::string path = "/tmp/gort_adopt_test_" + std::to_string(getpid());
    for (const auto& [network, address] :
         {std::pair<const char*, std::string>{"tcp", "127.0.0.1:0"}, {"unix", path}}) {
      Listener first = Must(Listen(network, address));
      const std::string where = first.Addr();
      Conn early = Must(Dial(network, where));  // stands in the queue meanwhile
      Listener second = Must(Listener::FromFd(Must(first.Release())));
      EXPECT_EQ(second.Addr(), where);
      Conn server = Must(second.Accept());
      Must(early.Write("x"));
      EXPECT_EQ(ReadN(server, 1), "x");
      Must(Dial(network, where));
      EXPECT_EQ(first.Accept().status().code(), absl::StatusCode::kFailedPrecondition);
    }
    EXPECT_EQ(unlink(path.c_str()), 0);  // neither of the two has removed it
  });
}

TEST(FromFd, APacketConn) {
  InGort([] {
    PacketConn first = Must(ListenPacket("udp", "127.0.0.1:0"));
    PacketConn second = Must(PacketConn::FromFd(Must(first.Release())));
    Must(second.WriteTo("abc", second.LocalAddr()));
    char buf[8];
    EXPECT_EQ(Must(second.ReadFrom(absl::MakeSpan(buf))).size, 3u);
  });
}

TEST(Release, EndsCallsThatWait) {
  InGort([] {
    auto pair = testing::TcpPair();
    absl::Status got;
    char c;
    Probe reader([&] { got = pair.client.Read(absl::MakeSpan(&c, 1)).status(); });
    EXPECT_TRUE(Parked(1));
    const int fd = Must(pair.client.Release());
    EXPECT_TRUE(reader.Finish());
    EXPECT_EQ(got.code(), absl::StatusCode::kCancelled);
    EXPECT_TRUE(IsOpen(fd));
    EXPECT_EQ(pair.client.Release().status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Conn().Release().status().code(), absl::StatusCode::kFailedPrecondition);
    close(fd);
  });
}

// As of Close.
TEST(Release, TheWokenMayDestroyTheObject) {
  InGort([] {
    testing::Procs procs(1);
    auto pair = testing::TcpPair();
    auto* conn = new Conn(std::move(pair.client));
    Probe reader([conn] {
      char c;
      EXPECT_FALSE(conn->Read(absl::MakeSpan(&c, 1)).ok());
      delete conn;
    });
    EXPECT_TRUE(Parked(1));
    const int fd = Must(conn->Release());
    EXPECT_TRUE(IsOpen(fd));
    EXPECT_TRUE(reader.Finish());
    close(fd);
  });
}

TEST(WithFd, LendsWhatCloseWaitsFor) {
  InGort([] {
    auto pair = testing::TcpPair();
    const int fd = SocketOf(pair.client);
    auto back = WithCancel(Background());
    Probe borrower([&] {
      const absl::Status s = pair.client.WithFd([&](int got) {
        EXPECT_EQ(got, fd);
        back.first.Done().Recv();
        EXPECT_TRUE(IsOpen(got));
      });
      EXPECT_TRUE(s.ok()) << s;
    });
    Probe closing([&] { EXPECT_TRUE(pair.client.Close().ok()); });
    EXPECT_FALSE(closing.done());
    EXPECT_TRUE(IsOpen(fd));
    back.second();
    EXPECT_TRUE(borrower.Finish());
    EXPECT_TRUE(closing.Finish());
    EXPECT_FALSE(IsOpen(fd));
    EXPECT_EQ(pair.client.WithFd([](int) { FAIL(); }).code(),
              absl::StatusCode::kFailedPrecondition);
  });
}

TEST(WithFd, HandsOnStatusAndExceptions) {
  InGort([] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    EXPECT_EQ(listener.WithFd([](int) { return absl::DataLossError("mine"); }),
              absl::DataLossError("mine"));
    EXPECT_THROW(listener.WithFd([](int) { throw std::runtime_error("x"); }).IgnoreError(),
                 std::runtime_error);
    EXPECT_TRUE(listener.Close().ok());  // the reference is not lost
  });
}

TEST(Control, RunsBeforeBindAndConnect) {
  InGort([] {
    int seen = -1;
    ListenOptions listen;
    listen.control = [&](int fd) {
      seen = IntOption(fd, SOL_SOCKET, SO_ACCEPTCONN);
      const int size = 12'345;
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
      return absl::OkStatus();
    };
    Listener listener = Must(Listen("tcp", "127.0.0.1:0", listen));
    EXPECT_EQ(seen, 0);
    DialOptions dial;
    dial.control = [&](int fd) {
      sockaddr_in in{};
      in.sin_family = AF_INET;
      in.sin_addr.s_addr = htonl(0x7f000002);  // 127.0.0.2
      return bind(fd, reinterpret_cast<sockaddr*>(&in), sizeof in) == 0
                 ? absl::OkStatus()
                 : absl::InternalError("bind");
    };
    Conn conn = Must(Dial(Background(), "tcp", listener.Addr(), dial));
    EXPECT_EQ(conn.LocalAddr().rfind("127.0.0.2:", 0), 0u) << conn.LocalAddr();
    EXPECT_EQ(IntOption(SocketOf(Must(listener.Accept())), SOL_SOCKET, SO_RCVBUF), 2 * 12'345);
    PacketOptions packet;
    packet.control = [&](int fd) {
      seen = fd;
      return absl::OkStatus();
    };
    PacketConn socket = Must(ListenPacket("udp", "127.0.0.1:0", packet));
    EXPECT_TRUE(socket.WithFd([&](int fd) { EXPECT_EQ(fd, seen); }).ok());
  });
}

TEST(Control, AnErrorOrAnExceptionEndsTheCallAndClosesTheSocket) {
  InGort([] {
    const int before = OpenSockets();
    ListenOptions listen;
    listen.control = [](int) { return absl::DataLossError("no"); };
    EXPECT_EQ(Listen("tcp", "127.0.0.1:0", listen).status(), absl::DataLossError("no"));
    listen.control = [](int) -> absl::Status { throw std::runtime_error("x"); };
    EXPECT_THROW(Listen("tcp", "127.0.0.1:0", listen).status().IgnoreError(), std::runtime_error);
    DialOptions dial;
    dial.control = [](int) { return absl::DataLossError("no"); };
    EXPECT_EQ(Dial(Background(), "tcp", "127.0.0.1:1", dial).status(), absl::DataLossError("no"));
    dial.control = [](int) -> absl::Status { throw std::runtime_error("x"); };
    for (const char* address : {"127.0.0.1:1", ":1"}) {  // one address, and two that race
      EXPECT_THROW(Dial(Background(), "tcp", address, dial).status().IgnoreError(),
                   std::runtime_error);
    }
    EXPECT_EQ(OpenSockets(), before);
  });
}

}  // namespace
}  // namespace gort
