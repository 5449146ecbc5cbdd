#include "gort/netpoll/testing/poller_conformance.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>

#include "gort/netpoll/internal/poller.h"
#include "gort/platforms/clock.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

constexpr uint64_t kToken = kPollFirstToken + 7;

class Poller : public testing::Test {
 protected:
  void SetUp() override { PollerInit(); }
  // A break that nobody consumed would end the next test's first wait.
  void TearDown() override {
    PollerBreak();
    EXPECT_EQ(PollerPoll(-1, events_, 8), 0);
  }

  // Polls until an event comes: readiness of other directions and early returns are allowed.
  PollEvent Next(int64_t delay_ns) {
    for (;;) {
      if (PollerPoll(delay_ns, events_, 8) > 0) return events_[0];
    }
  }

  PollEvent events_[8];
};

TEST_F(Poller, NotWaitingReturnsNothing) { EXPECT_EQ(PollerPoll(0, events_, 8), 0); }

TEST_F(Poller, InitAgainIsHarmless) {
  PollerInit();
  EXPECT_EQ(PollerPoll(0, events_, 8), 0);
}

TEST_F(Poller, WaitLastsAtLeastTheDelay) {
  for (int64_t delay : {int64_t{1}, int64_t{1000}, int64_t{50'000}, int64_t{1'500'000}}) {
    const int64_t before = Nanotime();
    EXPECT_EQ(PollerPoll(delay, events_, 8), 0);
    EXPECT_GE(Nanotime() - before, delay);
  }
}

TEST_F(Poller, BreakBeforeTheWaitEndsIt) {
  PollerBreak();
  EXPECT_EQ(PollerPoll(-1, events_, 8), 0);
}

TEST_F(Poller, BreaksBetweenTwoWaitsCountOnce) {
  for (int i = 0; i < 1000; ++i) PollerBreak();
  EXPECT_EQ(PollerPoll(-1, events_, 8), 0);
  const int64_t before = Nanotime();
  EXPECT_EQ(PollerPoll(2'000'000, events_, 8), 0);
  EXPECT_GE(Nanotime() - before, 2'000'000);
}

TEST_F(Poller, NotWaitingLeavesTheBreakToTheWaiter) {
  PollerBreak();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(PollerPoll(0, events_, 8), 0);
  EXPECT_EQ(PollerPoll(-1, events_, 8), 0);
}

TEST_F(Poller, UnlimitedWaitAfterALimitedOne) {
  EXPECT_EQ(PollerPoll(1000, events_, 8), 0);
  std::thread t([] { PollerBreak(); });
  EXPECT_EQ(PollerPoll(-1, events_, 8), 0);
  t.join();
}

TEST_F(Poller, HugeDelayIsInterrupted) {
  std::thread t([] { PollerBreak(); });
  EXPECT_EQ(PollerPoll(INT64_MAX, events_, 8), 0);
  t.join();
}

// The waiter must see what was published before the break, and no break may get lost.
TEST_F(Poller, EveryBreakIsSeen) {
  constexpr int kRounds = 20'000;
  std::atomic<int> published{0};
  std::atomic<int> seen{0};
  std::thread breaker([&] {
    for (int i = 1; i <= kRounds; ++i) {
      published.store(i);
      PollerBreak();
      if (i % 16 == 0) {
        while (seen.load() < i) std::this_thread::yield();
      }
    }
  });
  while (seen.load() < kRounds) {
    EXPECT_EQ(PollerPoll(-1, events_, 8), 0);
    seen.store(published.load());
  }
  breaker.join();
}

TEST_F(Poller, ReportsReadiness) {
  Source source(kToken);
  source.MakeReadable();
  PollEvent e = Next(-1);
  EXPECT_EQ(e.token, kToken);
  EXPECT_NE(e.mode & kPollRead, 0);
}

TEST_F(Poller, EdgeIsReportedOnce) {
  Source source(kToken);
  source.MakeReadable();
  EXPECT_EQ(Next(0).token, kToken);
  EXPECT_EQ(PollerPoll(0, events_, 8), 0);
  source.MakeReadable();
  EXPECT_EQ(Next(0).token, kToken);
}

TEST_F(Poller, MoreEventsThanRoom) {
  Source a(kToken), b(kToken + 1), c(kToken + 2);
  a.MakeReadable();
  b.MakeReadable();
  c.MakeReadable();
  uint64_t sum = 0;
  int got = 0;
  while (got < 3) {
    int n = PollerPoll(0, events_, 2);
    ASSERT_LE(n, 2);
    for (int i = 0; i < n; ++i) sum += events_[i].token;
    got += n;
  }
  EXPECT_EQ(sum, 3 * kToken + 3);
}

TEST_F(Poller, EventEndsAWait) {
  Source source(kToken);
  std::thread t([&] { source.MakeReadable(); });
  EXPECT_EQ(Next(-1).token, kToken);
  t.join();
}

TEST_F(Poller, KeepsErrno) {
  errno = E2BIG;
  PollerBreak();
  PollerPoll(-1, events_, 8);
  EXPECT_EQ(errno, E2BIG);
}

}  // namespace
}  // namespace gort::rt
