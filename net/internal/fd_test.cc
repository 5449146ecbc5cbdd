// The life of a descriptor: what each operation answers in each state, what ends one that waits,
// and when the kernel's descriptor and the object go.
//
//   | state             | how it comes about                   | an operation answers             |
//   | open              | New                                  | what the kernel says             |
//   | past its deadline | SetDeadline, before or while waiting | kDeadlineExceeded, on that side  |
//   | closing           | Close, while an operation waits      | that one kCancelled              |
//   | closed            | Close, Drop                          | kFailedPrecondition              |
//   | without an object | FdHandle moved from                  | kFailedPrecondition              |
#include "gort/net/internal/fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/net/testing/testing.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using gort::testing::Eventually;
using gort::testing::InGort;
using gort::testing::Must;
using gort::testing::Parked;
using gort::testing::Probe;

constexpr absl::StatusCode kOk = absl::StatusCode::kOk;
constexpr absl::StatusCode kTimeout = absl::StatusCode::kDeadlineExceeded;
constexpr absl::StatusCode kCancelled = absl::StatusCode::kCancelled;
constexpr absl::StatusCode kAfterClose = absl::StatusCode::kFailedPrecondition;

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

// A NetFd whose peer is an ordinary descriptor.
class Fixture {
 public:
  explicit Fixture(int type = SOCK_STREAM) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    sysfd = fds[0];
    peer = fds[1];
    handle = FdHandle(Must(NetFd::New(sysfd, "unix")));
  }
  ~Fixture() { ClosePeer(); }
  void ClosePeer() {
    if (peer >= 0) close(peer);
    peer = -1;
  }
  void Send(const std::string& text) const {
    EXPECT_EQ(send(peer, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  NetFd* fd() const { return handle.get(); }

  int sysfd = -1;
  int peer = -1;
  FdHandle handle;
};

absl::Status ReadSome(NetFd* fd) {
  char buf[16];
  return fd->Read(absl::MakeSpan(buf)).status();
}
absl::Status ReadFromSome(NetFd* fd) {
  char buf[16];
  return fd->ReadFrom(absl::MakeSpan(buf)).status();
}
absl::Status WriteMuch(NetFd* fd) {
  const std::string data(4 << 20, 'x');
  return fd->Write(data).status();
}
absl::Status WritevMuch(NetFd* fd) {
  const std::string data(2 << 20, 'x');
  const std::string_view pieces[] = {data, data};
  return fd->Writev(pieces).status();
}

// ---- every operation, in every state in which it returns at once ----

struct Operation {
  const char* name;
  bool reads;  // the side whose deadline counts; meaningless for those that have none
  bool waits;  // has a deadline
  absl::StatusCode open;
  absl::Status (*run)(Fixture&);
};

const Operation kOperations[] = {
    {"read", true, true, kOk, [](Fixture& f) { return ReadSome(f.fd()); }},
    {"read", true, true, kOk, [](Fixture& f) { return ReadFromSome(f.fd()); }},
    {"write", false, true, kOk, [](Fixture& f) { return f.fd()->Write("x").status(); }},
    {"writev", false, true, kOk,
     [](Fixture& f) {
       const std::string_view pieces[] = {"x", "y"};
       return f.fd()->Writev(pieces).status();
     }},
    {"write", false, true, kOk,
     [](Fixture& f) { return f.fd()->WriteTo("x", SocketAddr()).status(); }},
    {"accept", true, true, absl::StatusCode::kInvalidArgument,  // does not listen
     [](Fixture& f) { return f.fd()->Accept().status(); }},
    {"dial", false, true, absl::StatusCode::kNotFound,
     [](Fixture& f) {
       const SocketAddr nowhere = Must(SocketAddr::Unix("/nonexistent/socket"));
       return f.fd()->Connect(
           nowhere, 0, [](void*, PollDesc*) {}, nullptr);
     }},
    {"close", false, false, kOk, [](Fixture& f) { return f.fd()->Shutdown(SHUT_WR); }},
    {"set deadline", false, false, kOk,
     [](Fixture& f) {
       return f.fd()->SetDeadline(absl::InfiniteFuture(), kPollRead | kPollWrite);
     }},
    {"set", false, false, kOk,
     [](Fixture& f) {
       const int on = 1;
       return f.fd()->SetOption(SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on, "SO_KEEPALIVE");
     }},
    {"close", false, false, kOk, [](Fixture& f) { return f.fd()->Close(); }},
};

TEST(NetFd, EachOperationOpenLateAndClosed) {
  InGort([] {
    int nth = 0;
    for (const Operation& op : kOperations) {
      const std::string which = std::string(op.name) + ", the " + std::to_string(++nth) + "th";
      Fixture f;
      f.Send("data");
      const absl::Status open = op.run(f);
      EXPECT_EQ(open.code(), op.open) << which << ": " << open;
      Fixture late;
      late.Send("data");  // readiness does not help
      const uint32_t mode = op.reads ? kPollRead : kPollWrite;
      EXPECT_TRUE(late.fd()->SetDeadline(absl::Now() - absl::Seconds(1), mode).ok());
      EXPECT_EQ(op.run(late).code(), op.waits ? kTimeout : op.open) << which;
      if (op.waits) {
        // The other side's deadline is the other side's, and it may be taken back.
        Fixture other;
        other.Send("data");
        EXPECT_TRUE(other.fd()->SetDeadline(absl::Now() - absl::Seconds(1), mode ^ 3).ok());
        EXPECT_EQ(op.run(other).code(), open.code()) << which;
        EXPECT_TRUE(late.fd()->SetDeadline(absl::InfiniteFuture(), mode).ok());
        EXPECT_EQ(op.run(late).code(), open.code()) << which;
      }
      Fixture closed;
      EXPECT_TRUE(closed.fd()->Close().ok());
      const absl::Status after = op.run(closed);
      EXPECT_EQ(after.code(), kAfterClose) << which;
      EXPECT_EQ(after.message(), std::string(op.name) + " unix: use of closed network connection");
    }
  });
}

// ---- what ends a wait ----

struct Waiting {
  const char* name;
  uint32_t mode;
  absl::Status (*run)(NetFd*);
  void (*ready)(Fixture&, const Probe&);
  absl::StatusCode peer_gone;
};

void Drain(Fixture& f, const Probe& writer) {
  std::string buf(1 << 20, '\0');
  while (!writer.done()) {
    if (recv(f.peer, buf.data(), buf.size(), MSG_DONTWAIT) < 0) gort::testing::Yield();
  }
}
void Feed(Fixture& f, const Probe&) { f.Send("x"); }

const Waiting kWaits[] = {
    {"read", kPollRead, &ReadSome, &Feed, kOk},
    {"readfrom", kPollRead, &ReadFromSome, &Feed, kOk},
    {"write", kPollWrite, &WriteMuch, &Drain, absl::ErrnoToStatusCode(EPIPE)},
    {"writev", kPollWrite, &WritevMuch, &Drain, absl::ErrnoToStatusCode(EPIPE)},
};

TEST(NetFd, WhatEndsAWait) {
  struct Event {
    const char* name;
    std::function<void(Fixture&, const Waiting&, const Probe&)> happen;
    std::function<absl::StatusCode(const Waiting&)> result;
  };
  const Event events[] = {
      {"readiness", [](Fixture& f, const Waiting& w, const Probe& p) { w.ready(f, p); },
       [](const Waiting&) { return kOk; }},
      {"the peer's end", [](Fixture& f, const Waiting&, const Probe&) { f.ClosePeer(); },
       [](const Waiting& w) { return w.peer_gone; }},
      {"a deadline in the past",
       [](Fixture& f, const Waiting& w, const Probe&) {
         EXPECT_TRUE(f.fd()->SetDeadline(absl::InfinitePast(), w.mode).ok());
       },
       [](const Waiting&) { return kTimeout; }},
      {"a deadline that comes",
       [](Fixture& f, const Waiting& w, const Probe&) {
         EXPECT_TRUE(f.fd()->SetDeadline(absl::Now() + absl::Milliseconds(2), w.mode).ok());
       },
       [](const Waiting&) { return kTimeout; }},
      {"close", [](Fixture& f, const Waiting&, const Probe&) { EXPECT_TRUE(f.fd()->Close().ok()); },
       [](const Waiting&) { return kCancelled; }},
      {"the end of the handle",
       [](Fixture& f, const Waiting&, const Probe&) { f.handle = FdHandle(); },
       [](const Waiting&) { return kCancelled; }},
  };
  InGort([&] {
    for (const Waiting& w : kWaits) {
      for (const Event& e : events) {
        Fixture f;
        absl::Status s;
        Probe waiting([&s, &w, fd = f.fd()] { s = w.run(fd); });
        ASSERT_EQ(waiting.Waits(), "IO wait") << w.name;
        e.happen(f, w, waiting);
        ASSERT_TRUE(waiting.Finish()) << w.name << ", " << e.name;
        EXPECT_EQ(s.code(), e.result(w)) << w.name << ", " << e.name << ": " << s;
      }
    }
  });
}

// A deadline of the other side, or one that is moved on, ends nothing.
TEST(NetFd, WhatDoesNotEndAWait) {
  InGort([] {
    Fixture f;
    absl::Status s;
    EXPECT_TRUE(f.fd()->SetDeadline(absl::Now() + absl::Hours(1), kPollRead).ok());
    Probe waiting([&] { s = ReadSome(f.fd()); });
    EXPECT_TRUE(f.fd()->SetDeadline(absl::InfinitePast(), kPollWrite).ok());
    EXPECT_EQ(f.fd()->Write("x").status().code(), kTimeout);
    EXPECT_TRUE(f.fd()->SetDeadline(absl::Now() + absl::Hours(2), kPollRead).ok());
    EXPECT_EQ(waiting.Waits(), "IO wait");
    f.Send("x");
    EXPECT_TRUE(waiting.Finish());
    EXPECT_TRUE(s.ok()) << s;
  });
}

// ---- several at once, and the end ----

TEST(NetFd, OneSideAtATimeAndBothSidesAtOnce) {
  InGort([] {
    Fixture f;
    absl::Status first, second;
    Probe a([&] { first = ReadSome(f.fd()); });
    Probe b([&] { second = ReadSome(f.fd()); });  // waits for a's turn to end
    EXPECT_EQ(a.Waits(), "IO wait");
    EXPECT_FALSE(b.done());
    EXPECT_TRUE(Parked(1));
    EXPECT_TRUE(f.fd()->Write("x").ok());  // the other side is free
    f.Send("1");
    EXPECT_TRUE(a.Finish());
    EXPECT_TRUE(first.ok()) << first;
    EXPECT_TRUE(Parked(1));
    EXPECT_FALSE(b.done());
    f.Send("2");
    EXPECT_TRUE(b.Finish());
    EXPECT_TRUE(second.ok()) << second;
  });
}

TEST(NetFd, CloseEndsTheWaitersForATurnToo) {
  InGort([] {
    Fixture f;
    std::vector<absl::Status> s(4);
    Probe holder([&] { s[0] = ReadSome(f.fd()); });
    Probe next([&] { s[1] = ReadSome(f.fd()); });
    Probe writer([&] { s[2] = WriteMuch(f.fd()); });
    Probe behind([&] { s[3] = f.fd()->Write("x").status(); });
    EXPECT_TRUE(Parked(2));
    EXPECT_TRUE(f.fd()->Close().ok());
    EXPECT_FALSE(IsOpen(f.sysfd));  // when Close returns it is closed in the kernel
    for (const Probe* p : {&holder, &next, &writer, &behind}) EXPECT_TRUE(p->Finish());
    for (const absl::Status& ended : s) EXPECT_EQ(ended.code(), kCancelled) << ended;
    EXPECT_EQ(f.fd()->Close().code(), kAfterClose);
  });
}

// An operation that nothing has ended yet keeps the number, and Close, waiting.
TEST(NetFd, CloseWaitsForTheLastToLeave) {
  InGort([] {
    Fixture f;
    WaitGroup leave;
    leave.Add(1);
    absl::Status s;
    Probe connecting([&] {
      const SocketAddr nowhere = Must(SocketAddr::Unix("/nonexistent/socket"));
      // Parked inside of an operation, and not in the poller.
      s = f.fd()->Connect(
          nowhere, 0, [](void* wg, PollDesc*) { static_cast<WaitGroup*>(wg)->Wait(); }, &leave);
    });
    EXPECT_EQ(connecting.Waits(), "sync.WaitGroup.Wait");
    Probe closing([&] { EXPECT_TRUE(f.fd()->Close().ok()); });
    EXPECT_FALSE(closing.done());
    EXPECT_TRUE(IsOpen(f.sysfd));
    EXPECT_EQ(ReadSome(f.fd()).code(), kAfterClose);  // nobody may begin any more
    leave.Done();
    EXPECT_TRUE(closing.Finish());
    EXPECT_FALSE(IsOpen(f.sysfd));
    EXPECT_TRUE(connecting.Finish());
    EXPECT_EQ(s.code(), kCancelled) << s;
  });
}

TEST(NetFd, TheFileOfAListenerGoesWithIt) {
  InGort([] {
    const std::string path = "/tmp/gort_fd_test_" + std::to_string(getpid());
    for (const bool by_close : {true, false}) {
      Fixture f;
      ASSERT_GE(close(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
      f.fd()->set_unlink_path(path);
      if (by_close) {
        EXPECT_TRUE(f.fd()->Close().ok());
      }
      f.handle = FdHandle();
      EXPECT_NE(access(path.c_str(), F_OK), 0);
    }
  });
}

TEST(FdHandle, OwnsWhatItWasGiven) {
  InGort([] {
    Fixture a, b;
    FdHandle moved = std::move(a.handle);
    EXPECT_EQ(a.fd(), nullptr);  // NOLINT(bugprone-use-after-move): null is the contract
    EXPECT_TRUE(IsOpen(a.sysfd));
    FdHandle& same = moved;
    moved = std::move(same);
    EXPECT_TRUE(IsOpen(a.sysfd));
    moved = std::move(b.handle);
    EXPECT_FALSE(IsOpen(a.sysfd));
    EXPECT_TRUE(IsOpen(b.sysfd));
    { FdHandle last = std::move(moved); }
    EXPECT_FALSE(IsOpen(b.sysfd));
    EXPECT_EQ(NoConnection("read").message(), "read: use of closed network connection");
  });
}

// ---- registration and texts ----

TEST(NetFd, WhatThePollerRefusesIsClosed) {
  InGort([] {
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(file, 0);
    absl::StatusOr<NetFd*> fd = NetFd::New(file, "unix");
    ASSERT_FALSE(fd.ok());
    EXPECT_EQ(fd.status().message(), "register unix: epoll_ctl: Operation not permitted");
    EXPECT_FALSE(IsOpen(file));
  });
}

TEST(OpError, CodeAndText) {
  struct Case {
    int error;
    absl::StatusCode code;
    const char* text;
  };
  const Case cases[] = {
      {ECONNREFUSED, absl::StatusCode::kUnavailable, "Connection refused"},
      {EMFILE, absl::StatusCode::kResourceExhausted, "Too many open files"},
      {ENFILE, absl::StatusCode::kResourceExhausted, "Too many open files in system"},
      {ENOBUFS, absl::StatusCode::kResourceExhausted, "No buffer space available"},
      {ENOMEM, absl::StatusCode::kResourceExhausted, "Cannot allocate memory"},
      {EMSGSIZE, absl::StatusCode::kInvalidArgument, "Message too long"},
      {9999, absl::StatusCode::kUnknown, "errno 9999"},
  };
  for (const Case& c : cases) {
    const absl::Status s = OpError("dial", "tcp", "1.2.3.4:5", "connect", c.error);
    EXPECT_EQ(s.code(), c.code) << s;
    EXPECT_EQ(s.message(), std::string("dial tcp 1.2.3.4:5: connect: ") + c.text);
  }
  EXPECT_EQ(OpError("read", "unix", "", nullptr, EIO).message(), "read unix: Input/output error");
}

}  // namespace
}  // namespace gort::rt
