// Deadlines, Close under calls in progress, and descriptor numbers that come back.
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/gmp/sched.h"
#include "gort/net/net.h"
#include "gort/net/testing/testing.h"
#include "gort/proc/go.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::Eventually;
using testing::FullListener;
using testing::InGort;
using testing::Must;
using testing::OpenSockets;
using testing::Pair;
using testing::Parked;
using testing::Procs;
using testing::ReadN;
using testing::TcpPair;

const int kRaces = gort::testing::Slow() ? 1'000 : 100'000;

constexpr absl::StatusCode kTimeout = absl::StatusCode::kDeadlineExceeded;
constexpr absl::StatusCode kCancelled = absl::StatusCode::kCancelled;
constexpr absl::StatusCode kAfterClose = absl::StatusCode::kFailedPrecondition;

absl::Status ReadOne(Conn& c) {
  char byte;
  return c.Read(absl::MakeSpan(&byte, 1)).status();
}

// Fills the connection until a write has to wait; then reports how it ended.
absl::Status WriteForEver(Conn& c) {
  const std::string data(1 << 20, 'x');
  for (;;) {
    if (absl::StatusOr<size_t> n = c.Write(data); !n.ok()) return n.status();
  }
}

class Deadlines : public ::testing::TestWithParam<std::tuple<int64_t, int>> {
 protected:
  absl::Duration length() const { return absl::Nanoseconds(std::get<0>(GetParam())); }
  void Body(const std::function<void()>& body) {
    InGort([&] {
      Procs p(std::get<1>(GetParam()));
      body();
    });
  }
  // f() fails of a deadline in `length`, not before it, and with the text.
  void Times(const std::function<absl::Status(absl::Time)>& f) {
    const absl::Time deadline = absl::Now() + length();
    const absl::Status s = f(deadline);
    EXPECT_EQ(s.code(), kTimeout) << s;
    EXPECT_GE(absl::Now(), deadline);
    EXPECT_NE(s.message().find("i/o timeout"), s.message().npos) << s;
  }
};

TEST_P(Deadlines, OfReadWriteAndAccept) {
  Body([&] {
    Pair p = TcpPair();
    Times([&](absl::Time t) {
      EXPECT_TRUE(p.client.SetReadDeadline(t).ok());
      return ReadOne(p.client);
    });
    EXPECT_EQ(ReadOne(p.client).code(), kTimeout);  // it stays
    Must(p.server.Write("x"));
    EXPECT_EQ(ReadOne(p.client).code(), kTimeout);  // even with data there
    EXPECT_TRUE(p.client.SetReadDeadline(absl::InfiniteFuture()).ok());
    EXPECT_EQ(ReadN(p.client, 1), "x");
    Times([&](absl::Time t) {
      EXPECT_TRUE(p.client.SetWriteDeadline(t).ok());
      return WriteForEver(p.client);
    });
    Times([&](absl::Time t) {
      EXPECT_TRUE(p.client.SetDeadline(t).ok());
      return ReadOne(p.client);
    });
    EXPECT_EQ(p.client.Write("x").status().code(), kTimeout);
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    Times([&](absl::Time t) {
      EXPECT_TRUE(listener.SetDeadline(t).ok());
      return listener.Accept().status();
    });
    EXPECT_TRUE(listener.SetDeadline(absl::InfiniteFuture()).ok());
    Conn client = Must(Dial("tcp", listener.Addr()));
    EXPECT_TRUE(listener.Accept().ok());
  });
}

INSTANTIATE_TEST_SUITE_P(Lengths, Deadlines,
                         ::testing::Combine(::testing::Values(1, 1'000, 100'000, 1'000'000,
                                                              30'000'000, 1'000'000'000),
                                            ::testing::Values(1, 4)));

TEST(DialDeadline, EndsTheConnect) {
  InGort([] {
    FullListener full;
    for (absl::Duration d : {absl::Nanoseconds(1), absl::Milliseconds(1), absl::Milliseconds(50)}) {
      const absl::Time start = absl::Now();
      absl::StatusOr<Conn> c = Dial("tcp", full.Addr(), d);
      EXPECT_EQ(c.status().code(), kTimeout) << c.status();
      EXPECT_GE(absl::Now() - start, d);
    }
    EXPECT_EQ(Dial("tcp", full.Addr(), absl::ZeroDuration()).status().code(), kTimeout);
    EXPECT_EQ(Dial("tcp", full.Addr(), -absl::InfiniteDuration()).status().code(), kTimeout);
  });
}

TEST(DialClose, EndsTheConnectAndLaterOnes) {
  InGort([] {
    FullListener full;
    Dialer dialer;
    std::atomic<int> cancelled{0};
    for (int i = 0; i < 3; ++i) {
      Go([&] {
        absl::Status s = dialer.Dial("tcp", full.Addr()).status();
        EXPECT_EQ(s.code(), kCancelled) << s;
        EXPECT_NE(s.message().find("use of closed network connection"), s.message().npos) << s;
        ++cancelled;
      });
    }
    EXPECT_TRUE(Parked(3));
    dialer.Close();
    EXPECT_TRUE(Eventually([&] { return cancelled == 3; }));
    EXPECT_EQ(dialer.Dial("tcp", full.Addr()).status().code(), kCancelled);
    EXPECT_EQ(dialer.Dial("tcp", "localhost:1").status().code(), kCancelled);
    dialer.Close();
  });
}

TEST(DialClose, LeavesConnectionsThatWereMadeAlone) {
  static const int kRounds = kRaces / 20;
  InGort([] {
    Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    WaitGroup accepting;
    accepting.Go([&listener] {
      for (;;) {
        absl::StatusOr<Conn> c = listener.Accept();
        if (!c.ok()) return;
        c->Write("x").status().IgnoreError();  // to one that gave up, perhaps
      }
    });
    int made = 0;
    for (int i = 0; i < kRounds; ++i) {
      Dialer dialer;
      std::thread closer([&dialer, i] {
        for (std::atomic<int> n{0}; n.load() < i * 37 % 2000; n.fetch_add(1)) {
        }
        dialer.Close();
      });
      absl::StatusOr<Conn> c = dialer.Dial("tcp", listener.Addr());
      closer.join();
      if (!c.ok()) {
        EXPECT_EQ(c.status().code(), kCancelled) << c.status();
        continue;
      }
      ++made;
      ASSERT_EQ(ReadOne(*c).code(), absl::StatusCode::kOk);
    }
    EXPECT_GT(made, 0);
    EXPECT_TRUE(listener.Close().ok());
    accepting.Wait();
  });
}

TEST(Close, EndsCallsInProgress) {
  for (int procs : {1, 4}) {
    InGort([procs] {
      Procs limit(procs);
      Pair p = TcpPair();
      Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
      std::atomic<int> done{0};
      auto ends = [&done](const absl::Status& s) {
        EXPECT_EQ(s.code(), kCancelled) << s;
        EXPECT_NE(s.message().find("use of closed network connection"), s.message().npos) << s;
        ++done;
      };
      Go([&] { ends(ReadOne(p.client)); });
      Go([&] { ends(WriteForEver(p.client)); });
      Go([&] { ends(listener.Accept().status()); });
      EXPECT_TRUE(Parked(3));
      EXPECT_TRUE(p.client.Close().ok());
      EXPECT_TRUE(listener.Close().ok());
      EXPECT_TRUE(Eventually([&] { return done == 3; }));
      EXPECT_EQ(ReadOne(p.client).code(), kAfterClose);
      EXPECT_EQ(p.client.Write("x").status().code(), kAfterClose);
      EXPECT_EQ(p.client.CloseWrite().code(), kAfterClose);
      EXPECT_EQ(p.client.SetDeadline(absl::Now()).code(), kAfterClose);
      EXPECT_EQ(p.client.Close().code(), kAfterClose);
      EXPECT_EQ(listener.Accept().status().code(), kAfterClose);
      EXPECT_EQ(Conn().Close().code(), kAfterClose);
      EXPECT_EQ(ReadOne(p.server).code() == absl::StatusCode::kOk, true);  // what had been written
    });
  }
}

// Those that wait for the lock of a side, not for the kernel.
TEST(Close, EndsReadersThatWaitForEachOther) {
  InGort([] {
    Pair p = TcpPair();
    std::atomic<int> done{0};
    for (int i = 0; i < 10; ++i) {
      Go([&] {
        const absl::StatusCode code = ReadOne(p.client).code();
        EXPECT_TRUE(code == kCancelled || code == kAfterClose);
        ++done;
      });
    }
    EXPECT_TRUE(Parked(1));
    EXPECT_TRUE(p.client.Close().ok());
    EXPECT_TRUE(Eventually([&] { return done == 10; }));
  });
}

TEST(Close, DestructionEndsACallInProgress) {
  InGort([] {
    std::atomic<int> code{-1};
    Pair p = TcpPair();
    {
      Conn mine = std::move(p.client);
      Go([&code, conn = &mine] { code = static_cast<int>(ReadOne(*conn).code()); });
      EXPECT_TRUE(Parked(1));
    }
    EXPECT_TRUE(Eventually([&] { return code != -1; }));
    EXPECT_EQ(code, static_cast<int>(kCancelled));
  });
}

// Who is woken by Close may destroy the object before Close has returned.
TEST(Close, TheWokenMayDestroyTheObject) {
  InGort([] {
    Procs procs(4);
    for (int i = 0; i < kRaces / 50; ++i) {
      auto* listener = new Listener(Must(Listen("unix", "@gort_gone_" + std::to_string(getpid()))));
      WaitGroup wg;
      wg.Go([listener] {
        EXPECT_FALSE(listener->Accept().ok());
        delete listener;
      });
      EXPECT_TRUE(Parked(1));
      EXPECT_TRUE(listener->Close().ok());
      wg.Wait();
    }
  });
}

// A connection is closed while somebody reads from it, and its number is another's at once: the
// reader must never get the other's data, and nobody may hang.
TEST(Close, NumbersThatComeBackAreHarmless) {
  InGort([] {
    Procs procs(4);
    Listener listener = Must(Listen("unix", "@gort_reuse_" + std::to_string(getpid())));
    const int before = OpenSockets();
    std::atomic<int> wrong{0};
    WaitGroup accepting;
    accepting.Go([&] {
      for (;;) {
        absl::StatusOr<Conn> c = listener.Accept();
        if (!c.ok()) return;
        // Says who it is, once asked.
        Go([conn = *std::move(c)]() mutable {
          char byte;
          absl::StatusOr<size_t> n = conn.Read(absl::MakeSpan(&byte, 1));
          if (n.ok() && *n == 1) conn.Write(std::string_view(&byte, 1)).IgnoreError();
        });
      }
    });
    for (int i = 0; i < kRaces; ++i) {
      Conn victim = Must(Dial("unix", listener.Addr()));
      WaitGroup wg;
      wg.Go([&] {
        char byte = 0;
        absl::StatusOr<size_t> n = victim.Read(absl::MakeSpan(&byte, 1));
        // Nobody ever writes to the victim.
        if (n.ok()) ++wrong;
      });
      if (i % 2 == 0) testing::Yield();
      EXPECT_TRUE(victim.Close().ok());
      const char mark = static_cast<char>('A' + i % 26);
      Conn next = Must(Dial("unix", listener.Addr()));
      Must(next.Write(std::string_view(&mark, 1)));
      char byte = 0;
      ASSERT_EQ(Must(next.Read(absl::MakeSpan(&byte, 1))), 1u);
      ASSERT_EQ(byte, mark);
      wg.Wait();
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(listener.Close().ok());
    accepting.Wait();
    EXPECT_TRUE(Eventually([&] { return OpenSockets() <= before; }));
    EXPECT_TRUE(Parked(0));
  });
}

// The peer has gone without a word as far as we know: nothing comes, deadlines are what helps.
TEST(HalfOpen, AReadEndsByItsDeadlineAndAWriteWhenTheBufferIsFull) {
  InGort([] {
    Pair p = TcpPair();
    EXPECT_TRUE(p.client.SetDeadline(absl::Now() + absl::Milliseconds(20)).ok());
    std::atomic<int> done{0};
    Go([&] {
      EXPECT_EQ(ReadOne(p.client).code(), kTimeout);
      ++done;
    });
    EXPECT_EQ(WriteForEver(p.client).code(), kTimeout);
    EXPECT_TRUE(Eventually([&] { return done == 1; }));
  });
}

}  // namespace
}  // namespace gort
