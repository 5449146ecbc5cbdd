// Linked with the fake poller: every event is the test's own.
#include "netpoll/netpoll.h"

#include "gmp/g.h"
#include "gmp/sched_hooks.h"
#include "gtest/gtest.h"
#include "netpoll/poller.h"
#include "netpoll/poller_fake.h"

namespace gort::rt {
namespace {

struct Waiter : PollTarget {
  Waiter() : PollTarget{&Ready} {}
  static void Ready(PollTarget* t, uint32_t mode, GList* to_run) {
    auto* w = static_cast<Waiter*>(t);
    w->modes |= mode;
    to_run->Push(&w->g);
  }
  G g;
  uint32_t modes = 0;
};

TEST(Netpoll, InstallSetsTheHooks) {
  EXPECT_FALSE(sched_hooks.netpoll_inited);
  EXPECT_TRUE(sched_hooks.netpoll(0).empty());
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

TEST(Netpoll, EventsWakeTheirGoroutinesInOrder) {
  Waiter a, b;
  FakePollerInject(TokenOf(&a), kPollRead);
  FakePollerInject(TokenOf(&b), kPollRead | kPollWrite);
  GList list = Netpoll(-1);
  EXPECT_EQ(list.Pop(), &a.g);
  EXPECT_EQ(list.Pop(), &b.g);
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(a.modes, kPollRead);
  EXPECT_EQ(b.modes, kPollRead | kPollWrite);
}

}  // namespace
}  // namespace gort::rt
