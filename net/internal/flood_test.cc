// A flood: the kernel is always ready, or always refuses, so an operation that is made again and
// again never parks. It leaves its processor to others all the same.
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/net/internal/fd.h"
#include "gort/net/testing/testing.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/proc/go.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using gort::testing::InGort;
using gort::testing::Must;
using gort::testing::Probe;

// A pair of datagram sockets; the peer is an ordinary descriptor.
class Line {
 public:
  Line() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    peer_ = fds[1];
    handle_ = FdHandle(Must(NetFd::New(fds[0], "unix")));
  }
  ~Line() { close(peer_); }
  void Send() const { EXPECT_EQ(send(peer_, "x", 1, 0), 1); }
  void Receive() const {
    char buf[16];
    EXPECT_GT(recv(peer_, buf, sizeof buf, 0), 0);
  }
  NetFd* fd() const { return handle_.get(); }

 private:
  int peer_ = -1;
  FdHandle handle_;
};

// A listening socket; Knock puts a connection into its queue.
class Door {
 public:
  Door() {
    const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(s, addr_.raw(), addr_.size()), 0);
    EXPECT_EQ(listen(s, 16), 0);
    handle_ = FdHandle(Must(NetFd::New(s, "unix")));
  }
  void Knock() const {
    const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(s, addr_.raw(), addr_.size()), 0);
    close(s);
  }
  NetFd* fd() const { return handle_.get(); }

 private:
  const SocketAddr addr_ = Must(SocketAddr::Unix("@gort_flood_test_" + std::to_string(getpid())));
  FdHandle handle_;
};

// Another goroutine runs on the one processor while `step` is made again and again.
bool LetsOthersRun(const std::function<void()>& step) {
  auto ran = std::make_shared<std::atomic<bool>>(false);
  bool in_time = false;
  Probe flood([&] {
    gort::Go([ran] { *ran = true; });
    const absl::Time end = absl::Now() + absl::Seconds(10);
    while (!*ran && absl::Now() < end) step();
    in_time = *ran;
  });
  return flood.Finish() && in_time;
}

absl::Status ReadSome(NetFd* fd) {
  char buf[16];
  return fd->Read(absl::MakeSpan(buf)).status();
}
absl::Status ReadFromSome(NetFd* fd) {
  char buf[16];
  return fd->ReadFrom(absl::MakeSpan(buf)).status();
}
absl::Status WritevSome(NetFd* fd) {
  const std::string_view pieces[] = {"x", "y"};
  return fd->Writev(pieces).status();
}

struct Operation {
  const char* name;
  absl::Status (*run)(NetFd*);
  bool reads;
};
const Operation kOperations[] = {
    {"read", &ReadSome, true},
    {"readfrom", &ReadFromSome, true},
    {"write", [](NetFd* fd) { return fd->Write("x").status(); }, false},
    {"writev", &WritevSome, false},
    {"writeto", [](NetFd* fd) { return fd->WriteTo("x", SocketAddr()).status(); }, false},
};

TEST(Flood, OfDatagrams) {
  InGort([] {
    gort::testing::Procs one(1);
    for (const Operation& op : kOperations) {
      const Line line;
      const auto step = [&] {
        if (op.reads) line.Send();
        EXPECT_TRUE(op.run(line.fd()).ok());
        if (!op.reads) line.Receive();
      };
      EXPECT_TRUE(LetsOthersRun(step)) << op.name;
    }
  });
}

TEST(Flood, OfConnections) {
  InGort([] {
    gort::testing::Procs one(1);
    const Door door;
    const auto step = [&] {
      door.Knock();
      Must(door.fd()->Accept())->Drop();
    };
    EXPECT_TRUE(LetsOthersRun(step));
  });
}

TEST(Flood, OfErrors) {
  InGort([] {
    gort::testing::Procs one(1);
    for (const Operation& op : kOperations) {
      const Line line;
      const auto step = [&] { EXPECT_FALSE(op.run(line.fd()).ok()); };
      EXPECT_TRUE(line.fd()->SetDeadline(absl::InfinitePast(), kPollRead | kPollWrite).ok());
      EXPECT_TRUE(LetsOthersRun(step)) << op.name << ", late";
      EXPECT_TRUE(line.fd()->Close().ok());
      EXPECT_TRUE(LetsOthersRun(step)) << op.name << ", closed";
    }
  });
}

}  // namespace
}  // namespace gort::rt
