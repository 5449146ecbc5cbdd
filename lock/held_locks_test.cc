#include "gort/lock/held_locks.h"

#include <functional>
#include <string>
#include <thread>

#include "gort/base/attributes.h"
#include "gort/lock/mutex.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using testing::ChildResult;
using testing::RunInChild;

class HeldLocks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kDebug) GTEST_SKIP() << "held locks are recorded in debug builds only";
  }
  void TearDown() override { EXPECT_EQ(HeldLocksCount(), 0); }

  // Runs fn in a child, which must die of it with a text that contains `want`.
  static void ExpectFatal(const std::string& want, const std::function<void()>& fn) {
    ChildResult r = RunInChild(fn);
    EXPECT_EQ(r.status, 2);
    EXPECT_NE(r.output.find(want), std::string::npos) << r.output;
  }
};

TEST_F(HeldLocks, OuterBeforeInnerIsAllowedAndCounted) {
  Mutex outer(LockRank::kSched), inner(LockRank::kMheap);
  EXPECT_EQ(HeldLocksCount(), 0);
  outer.Lock();
  EXPECT_EQ(HeldLocksCount(), 1);
  inner.Lock();
  EXPECT_EQ(HeldLocksCount(), 2);
  outer.Unlock();  // any order of release is fine
  EXPECT_EQ(HeldLocksCount(), 1);
  inner.Unlock();
}

TEST_F(HeldLocks, InnerBeforeOuterIsFatalWithBothNames) {
  ExpectFatal("gort: lock order: taking sched at 0x", [] {
    Mutex outer(LockRank::kSched), inner(LockRank::kMheap);
    inner.Lock();
    outer.Lock();
  });
  ExpectFatal("while holding mheap at 0x", [] {
    Mutex outer(LockRank::kSched), inner(LockRank::kMheap);
    inner.Lock();
    outer.Lock();
  });
  ExpectFatal("\nfatal error: lock ordering problem\n", [] {
    Mutex outer(LockRank::kSched), inner(LockRank::kMheap);
    inner.Lock();
    outer.Lock();
  });
}

TEST_F(HeldLocks, UnrelatedRanksExcludeEachOther) {
  ExpectFatal("lock ordering problem", [] {
    Mutex a(LockRank::kGfree), b(LockRank::kThread);
    a.Lock();
    b.Lock();
  });
}

TEST_F(HeldLocks, OneRankDoesNotNestInItselfUnlessTheOrderSaysSo) {
  ExpectFatal("lock ordering problem", [] {
    Mutex locks[2] = {Mutex(LockRank::kSched), Mutex(LockRank::kSched)};
    locks[0].Lock();
    locks[1].Lock();
  });
  Mutex channels[2] = {Mutex(LockRank::kHchan), Mutex(LockRank::kHchan)};
  channels[0].Lock();
  channels[1].Lock();  // in address order
  channels[1].Unlock();
  channels[0].Unlock();
  ExpectFatal("lock ordering problem", [] {
    Mutex chans[2] = {Mutex(LockRank::kHchan), Mutex(LockRank::kHchan)};
    chans[1].Lock();
    chans[0].Lock();
  });
}

TEST_F(HeldLocks, UnrankedLocksNestAnywhere) {
  Mutex none, other, inner(LockRank::kPersistent);
  LockGuard a(&inner), b(&none), c(&other);
  EXPECT_EQ(HeldLocksCount(), 3);
}

TEST_F(HeldLocks, TheSameLockTwiceIsFatal) {
  ExpectFatal("lock taken twice by one thread", [] {
    Mutex mu;
    mu.Lock();
    mu.Lock();
  });
}

TEST_F(HeldLocks, UnlockByAnotherThreadIsFatal) {
  ExpectFatal("unlock of a lock that this thread does not hold", [] {
    Mutex mu;
    mu.Lock();
    std::thread([&] { mu.Unlock(); }).join();
  });
}

TEST_F(HeldLocks, TryLockMayGoAgainstTheOrderAndIsRecorded) {
  Mutex outer(LockRank::kSched), inner(LockRank::kMheap);
  inner.Lock();
  ASSERT_TRUE(outer.TryLock());
  EXPECT_EQ(HeldLocksCount(), 2);
  outer.Unlock();
  inner.Unlock();
  ExpectFatal("taking hchan", [] {
    Mutex sched(LockRank::kSched), chan(LockRank::kHchan);
    if (!sched.TryLock()) return;
    chan.Lock();
  });
}

TEST_F(HeldLocks, OneLockTooManyIsFatal) {
  ExpectFatal("too many locks held", [] {
    static Mutex many[kMaxHeldLocks + 1];
    for (Mutex& mu : many) mu.Lock();
  });
}

TEST_F(HeldLocks, EveryThreadHasItsOwnRecord) {
  Mutex inner(LockRank::kMheap), outer(LockRank::kSched);
  LockGuard guard(&inner);
  std::thread([&] {
    EXPECT_EQ(HeldLocksCount(), 0);
    LockGuard other(&outer);
    EXPECT_EQ(HeldLocksCount(), 1);
  }).join();
}

TEST(HeldLocksOff, CostNothingOutsideOfDebugBuilds) {
  if (kDebug) GTEST_SKIP() << "this is one";
  Mutex outer(LockRank::kSched), inner(LockRank::kMheap);
  LockGuard a(&inner), b(&outer);  // the wrong order, unchecked
  EXPECT_EQ(HeldLocksCount(), 0);
}

}  // namespace
}  // namespace gort::rt
