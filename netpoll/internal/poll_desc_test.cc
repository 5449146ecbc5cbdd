// Poll descriptors with the whole runtime: pipes, ttys, sockets and files.
#include "gort/netpoll/internal/poll_desc.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/gmp/sched.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/testing/pipe.h"
#include "gort/platforms/clock.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using testing::Eventually;
using testing::InGort;
using testing::Pipe;
using testing::Probe;
using testing::Procs;

const int kRounds = gort::testing::Slow() ? 500 : 10'000;

PollDesc* Open(int fd) {
  int error = 0;
  PollDesc* pd = PollOpen(fd, &error);
  EXPECT_NE(pd, nullptr) << error;
  return pd;
}

// Somebody has parked in the poller. (Probe::Waits looks into the goroutine, which a wake-up
// through the kernel does not order for a race detector.)
void Close(PollDesc* pd) {
  PollUnblock(pd);
  PollClose(pd);
}

TEST(PollDesc, GoroutinesPassTokensThroughPipes) {
  for (int procs : {1, 4}) {
    InGort([&] {
      Procs p(procs);
      Pipe there, back;
      PollDesc* a = Open(there.fd[0]);
      PollDesc* b = Open(back.fd[0]);
      auto receive = [](Pipe* from, PollDesc* pd) {
        char c;
        while (read(from->fd[0], &c, 1) < 0) ASSERT_EQ(PollWait(pd, kPollRead), PollResult::kOk);
      };
      Probe echo([&] {
        for (int i = 0; i < kRounds; ++i) {
          receive(&there, a);
          back.Put();
        }
      });
      for (int i = 0; i < kRounds; ++i) {
        there.Put();
        receive(&back, b);
      }
      EXPECT_TRUE(echo.Finish());
      Close(a);
      Close(b);
    });
  }
}

// Length of the wait and number of Ps.
class Deadline : public ::testing::TestWithParam<std::tuple<int64_t, int>> {};

TEST_P(Deadline, EndsTheWaitNotBeforeItsTime) {
  const auto [ns, procs] = GetParam();
  InGort([ns = ns, procs = procs] {
    Procs p(procs);
    Pipe pipe;
    PollDesc* pd = Open(pipe.fd[0]);
    const int64_t when = Nanotime() + ns;
    PollSetDeadline(pd, when, kPollRead);
    EXPECT_EQ(PollWait(pd, kPollRead), PollResult::kTimeout);
    EXPECT_GE(Nanotime(), when);
    // It stays passed; a new one is a new wait; none is none.
    EXPECT_EQ(PollPrepare(pd, kPollRead), PollResult::kTimeout);
    PollSetDeadline(pd, Nanotime() + ns, kPollRead);
    EXPECT_EQ(PollWait(pd, kPollRead), PollResult::kTimeout);
    PollSetDeadline(pd, 0, kPollRead);
    pipe.Put();
    EXPECT_EQ(PollWait(pd, kPollRead), PollResult::kOk);
    Close(pd);
  });
}

INSTANTIATE_TEST_SUITE_P(Lengths, Deadline,
                         ::testing::Combine(::testing::Values(1, 1'000, 50'000, 1'000'000,
                                                              10'000'000, 100'000'000,
                                                              1'000'000'000),
                                            ::testing::Values(1, 4)));

TEST(PollDescDeadline, MovedWhileSomebodyWaits) {
  InGort([] {
    Pipe pipe;
    PollDesc* pd = Open(pipe.fd[0]);
    PollSetDeadline(pd, Nanotime() + 3'600'000'000'000, kPollRead);
    std::atomic<int> result{-1};
    Probe reader([&] { result = static_cast<int>(PollWait(pd, kPollRead)); });
    EXPECT_EQ(reader.Waits(), "IO wait");
    PollSetDeadline(pd, 0, kPollRead);
    PollSetDeadline(pd, Nanotime() + 1'000'000, kPollRead);
    EXPECT_TRUE(reader.Finish());
    EXPECT_EQ(result, static_cast<int>(PollResult::kTimeout));
    Close(pd);
  });
}

TEST(PollDescDeadline, RacesWithDataAndWithItself) {
  InGort([] {
    Procs p(4);
    Pipe pipe;
    PollDesc* pd = Open(pipe.fd[0]);
    std::atomic<bool> stop{false};
    std::atomic<int> done{0};
    gort::Go([&] {
      for (int i = 0; !stop; ++i) {
        PollSetDeadline(pd, i % 3 == 0 ? 0 : Nanotime() + (i % 7) * 1000 - 2000, kPollRead);
        testing::Yield();
      }
      ++done;
    });
    gort::Go([&] {
      for (int i = 0; i < kRounds; ++i) {
        pipe.Put();
        testing::Yield();
      }
      ++done;
    });
    int got = 0;
    while (got < kRounds) {
      char c;
      if (read(pipe.fd[0], &c, 1) == 1) {
        ++got;
      } else {
        PollWait(pd, kPollRead);
      }
      testing::Yield();
    }
    stop = true;
    EXPECT_TRUE(Eventually([&] { return done == 2; }));
    Close(pd);
  });
}

TEST(PollDesc, UnblockEndsWaitsOfBothDirectionsAndLaterOnes) {
  InGort([] {
    int fd[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    char fill[4096] = {};
    while (write(fd[0], fill, sizeof fill) > 0) {
    }
    PollDesc* pd = Open(fd[0]);
    std::atomic<int> closing{0};
    auto wait = [&](uint32_t mode) {
      while (PollWait(pd, mode) == PollResult::kOk) {
      }
      ++closing;
    };
    Probe reader([&] { wait(kPollRead); });
    Probe writer([&] { wait(kPollWrite); });
    EXPECT_EQ(reader.Waits(), "IO wait");
    EXPECT_EQ(writer.Waits(), "IO wait");
    PollUnblock(pd);
    EXPECT_TRUE(reader.Finish());
    EXPECT_TRUE(writer.Finish());
    EXPECT_EQ(closing, 2);
    EXPECT_EQ(PollWait(pd, kPollRead), PollResult::kClosing);
    PollSetDeadline(pd, -1, kPollRead);
    EXPECT_EQ(PollPrepare(pd, kPollRead), PollResult::kClosing);
    PollClose(pd);
    close(fd[0]);
    close(fd[1]);
  });
}

// The same PollDesc and descriptor numbers again and again, with events of before on their way.
TEST(PollDesc, ReuseIsHarmless) {
  InGort([] {
    Procs p(4);
    for (int i = 0; i < kRounds; ++i) {
      Pipe pipe;
      PollDesc* pd = Open(pipe.fd[0]);
      std::atomic<int> result{-1};
      gort::Go([&] {
        PollResult r;
        char c;
        do {
          r = PollWait(pd, kPollRead);
        } while (r == PollResult::kOk && read(pipe.fd[0], &c, 1) < 0);
        result = static_cast<int>(r);
      });
      if (i % 2 == 0) {
        pipe.Put();
        ASSERT_TRUE(Eventually([&] { return result != -1; }));
        EXPECT_EQ(result, static_cast<int>(PollResult::kOk));
        PollUnblock(pd);
      } else {
        PollUnblock(pd);
        ASSERT_TRUE(Eventually([&] { return result != -1; }));
        EXPECT_EQ(result, static_cast<int>(PollResult::kClosing));
        pipe.Put();  // an event for somebody who is about to go
      }
      PollClose(pd);
    }
    EXPECT_EQ(sched.netpoll_waiters.load(), 0u);
  });
}

}  // namespace
}  // namespace gort::rt
