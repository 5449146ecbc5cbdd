// Linked with the fake poller: every event is the test's own. Those who wait are threads, so that
// no scheduler has to run.
#include "gort/netpoll/internal/netpoll.h"

#include <atomic>
#include <cerrno>
#include <thread>

#include "gort/base/attributes.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/netpoll/internal/poll_desc.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/testing/poller_fake.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

class Netpolling : public testing::Test {
 protected:
  void SetUp() override {
    NetpollInstall();
    sched.main_started.store(true);
  }

  // A thread waits; returns when it is on the poller's count.
  template <class F>
  std::thread Waiter(F f) {
    const uint32_t before = sched.netpoll_waiters.load();
    std::thread t(f);
    while (sched.netpoll_waiters.load() == before) std::this_thread::yield();
    return t;
  }

  static void Close(PollDesc* pd) {
    PollUnblock(pd);
    PollClose(pd);
  }
};

TEST(Netpoll, InstallSetsTheHooks) {
  EXPECT_FALSE(sched_hooks.netpoll_inited);
  EXPECT_TRUE(sched_hooks.netpoll(0).empty());
  int error = 0;
  EXPECT_EQ(PollOpen(0, &error), nullptr);
  EXPECT_EQ(error, ENOSYS);
  NetpollInstall();
  EXPECT_TRUE(sched_hooks.netpoll_inited);
  const int64_t polls = FakePollerRead().polls;
  EXPECT_TRUE(sched_hooks.netpoll(0).empty());
  EXPECT_EQ(FakePollerRead().polls, polls + 1);
  const int64_t breaks = FakePollerRead().breaks;
  sched_hooks.netpoll_break();
  EXPECT_EQ(FakePollerRead().breaks, breaks + 1);
  EXPECT_TRUE(sched_hooks.netpoll(-1).empty());  // consumes the break
  NetpollInstall();
}

TEST_F(Netpolling, AnEventWakesTheWaiterOfItsDirection) {
  int error = 0;
  PollDesc* pd = PollOpen(3, &error);
  ASSERT_NE(pd, nullptr);
  std::atomic<int> woken{0};
  std::thread reader = Waiter([&] {
    EXPECT_EQ(PollWait(pd, kPollRead), PollResult::kOk);
    woken |= 1;
  });
  std::thread writer = Waiter([&] {
    EXPECT_EQ(PollWait(pd, kPollWrite), PollResult::kOk);
    woken |= 2;
  });
  FakePollerInject(PollToken(pd), kPollWrite);
  EXPECT_TRUE(Netpoll(0).empty());  // threads are woken, not listed
  writer.join();
  EXPECT_EQ(woken, 2);
  FakePollerInject(PollToken(pd), kPollRead);
  Netpoll(0);
  reader.join();
  EXPECT_EQ(sched.netpoll_waiters.load(), 0u);
  Close(pd);
}

TEST_F(Netpolling, AnEdgeBeforeTheWaitIsKeptAndPrepareForgetsIt) {
  int error = 0;
  PollDesc* pd = PollOpen(3, &error);
  FakePollerInject(PollToken(pd), kPollRead);
  Netpoll(0);
  EXPECT_EQ(PollWait(pd, kPollRead), PollResult::kOk);
  FakePollerInject(PollToken(pd), kPollRead);
  Netpoll(0);
  EXPECT_EQ(PollPrepare(pd, kPollRead), PollResult::kOk);
  std::thread reader = Waiter([&] { EXPECT_EQ(PollWait(pd, kPollRead), PollResult::kClosing); });
  PollUnblock(pd);
  reader.join();
  PollClose(pd);
}

TEST_F(Netpolling, EventsOfAFormerUserAreDropped) {
  int error = 0;
  PollDesc* pd = PollOpen(3, &error);
  const uint64_t stale = PollToken(pd);
  Close(pd);
  PollDesc* again = PollOpen(4, &error);
  ASSERT_EQ(again, pd);  // the last one given back comes first
  EXPECT_NE(PollToken(again), stale);
  std::atomic<bool> woken{false};
  std::thread reader = Waiter([&] {
    EXPECT_EQ(PollWait(again, kPollRead), PollResult::kOk);
    woken = true;
  });
  FakePollerInject(stale, kPollRead | kPollError);
  Netpoll(0);
  EXPECT_FALSE(woken);
  EXPECT_EQ(sched.netpoll_waiters.load(), 1u);
  FakePollerInject(PollToken(again), kPollRead);
  Netpoll(0);
  reader.join();
  EXPECT_EQ(PollPrepare(again, kPollRead), PollResult::kOk);
  Close(again);
}

TEST_F(Netpolling, TheSequenceComesRoundOnlyAfterFourMillionUsers) {
  int error = 0;
  PollDesc* pd = PollOpen(3, &error);
  const uint64_t first = PollToken(pd);
  Close(pd);
  constexpr int kUsers = GORT_ASAN || GORT_TSAN ? 1 << 16 : 1 << 22;
  for (int i = 1; i < kUsers; ++i) {
    pd = PollOpen(3, &error);
    ASSERT_NE(PollToken(pd), first) << i;
    Close(pd);
  }
}

TEST_F(Netpolling, NothingButAnErrorIsNotPollableForReading) {
  int error = 0;
  PollDesc* pd = PollOpen(3, &error);
  FakePollerInject(PollToken(pd), kPollRead | kPollWrite | kPollError);
  Netpoll(0);
  EXPECT_EQ(PollPrepare(pd, kPollRead), PollResult::kNotPollable);
  EXPECT_EQ(PollPrepare(pd, kPollWrite), PollResult::kOk);
  FakePollerInject(PollToken(pd), kPollRead);
  Netpoll(0);
  EXPECT_EQ(PollPrepare(pd, kPollRead), PollResult::kOk);
  Close(pd);
}

TEST_F(Netpolling, TheEndOfAStreamIsRememberedUntilTheNextUser) {
  int error = 0;
  PollDesc* pd = PollOpen(3, &error);
  EXPECT_TRUE(PollPlain(pd));
  FakePollerInject(PollToken(pd), kPollRead | kPollSpecial);
  Netpoll(0);
  FakePollerInject(PollToken(pd), kPollRead);
  Netpoll(0);
  EXPECT_FALSE(PollPlain(pd));
  EXPECT_EQ(PollPrepare(pd, kPollRead), PollResult::kOk);  // no error
  Close(pd);
  pd = PollOpen(3, &error);
  EXPECT_TRUE(PollPlain(pd));
  Close(pd);
}

TEST_F(Netpolling, APassedDeadlineWakesAndStaysUntilItIsMoved) {
  PollDesc* pd = PollOpenEvent();
  std::thread reader = Waiter([&] { EXPECT_EQ(PollWait(pd, kPollRead), PollResult::kTimeout); });
  PollSetDeadline(pd, -1, kPollRead);
  reader.join();
  EXPECT_EQ(PollPrepare(pd, kPollRead), PollResult::kTimeout);
  EXPECT_EQ(PollPrepare(pd, kPollWrite), PollResult::kOk);
  PollSetDeadline(pd, 0, kPollRead);
  EXPECT_EQ(PollPrepare(pd, kPollRead), PollResult::kOk);
  PollNotify(pd, kPollRead);
  EXPECT_EQ(PollWait(pd, kPollRead), PollResult::kOk);
  Close(pd);
}

}  // namespace
}  // namespace gort::rt
