// proc/stay_test.cc: goroutines that were cut off, in the global queue. (tests/preempt and tests/anycode
// cut real ones off.)
#include <gtest/gtest.h>

#include <vector>

#include "gort/gmp/sched.h"
#include "gort/lock/mutex.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/runq.h"
#include "gort/proc/testing/world.h"

namespace gort::rt::testing {
namespace {

// As many Gs in the global queue as the word has letters; 'c': one that was cut off.
std::vector<G*> Queue(World* w, const char* word) {
  std::vector<G*> gs;
  LockGuard l(&sched.lock);
  for (const char* at = word; *at != '\0'; ++at) {
    G* gp = w->NewG("g", [] {});
    gp->rare = *at == 'c';
    if (gp->rare) gp->signal_context = gp;  // anything but null
    GlobRunqPut(gp);
    gs.push_back(gp);
  }
  return gs;
}

TEST(Stay, OneThatWasCutOffIsNotMovedToAPsOwnQueue) {
  World w(1);
  const std::vector<G*> gs = Queue(&w, "ggcgg");
  P* pp = w.PAt(0);
  LockGuard l(&sched.lock);
  EXPECT_EQ(GlobRunqGet(pp, 0), gs[0]);  // and the next one comes with it
  bool inherit = false;
  EXPECT_EQ(RunqGet(pp, &inherit), gs[1]);
  EXPECT_TRUE(RunqEmpty(pp));
  EXPECT_EQ(sched.runqsize.load(), 3);
  EXPECT_EQ(GlobRunqGet(pp, 0), gs[2]);  // itself it is taken like any other
  gs[2]->signal_context = nullptr;
  while (RunqGet(pp, &inherit) != nullptr) {
  }
}

TEST(Stay, AQueueOfThemIsTakenOneByOne) {
  World w(1);
  const std::vector<G*> gs = Queue(&w, "ccc");
  LockGuard l(&sched.lock);
  for (G* gp : gs) {
    EXPECT_EQ(GlobRunqGet(w.PAt(0), 0), gp);
    EXPECT_TRUE(RunqEmpty(w.PAt(0)));
    gp->signal_context = nullptr;
  }
  EXPECT_EQ(sched.runqsize.load(), 0);
}

TEST(Stay, WithoutOneThereIsNoWaiterToTake) {
  World w(1);
  const std::vector<G*> gs = Queue(&w, "gg");
  LockGuard l(&sched.lock);
  EXPECT_EQ(sched.runq.TakeFirst([](const G* g) { return g->signal_context != nullptr; }), nullptr);
  EXPECT_EQ(sched.runq.TakeFirst([&](const G* g) { return g == gs[1]; }), gs[1]);
  EXPECT_EQ(sched.runq.First(), gs[0]);
  sched.runq.PushBack(gs[1]);  // the end is known after the last was taken
  EXPECT_EQ(sched.runq.Pop(), gs[0]);
  EXPECT_EQ(sched.runq.Pop(), gs[1]);
  EXPECT_TRUE(sched.runq.empty());
  sched.runqsize.store(0);
}

}  // namespace
}  // namespace gort::rt::testing
