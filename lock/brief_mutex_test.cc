#include "gort/lock/brief_mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/platforms/pins.h"
#include "gort/platforms/thread.h"
#include "gort/tests/support/child.h"

namespace gort::rt {
namespace {

using testing::ChildResult;
using testing::RunInChild;

// With it in a section the others sleep, on most machines; where they spin still, nothing fails.
constexpr std::chrono::microseconds kLongerThanASpin(200);

// With a barrier on all threads, and before anybody has asked for it: then a sleeper wakes by itself.
class BriefMutexTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && !ThreadsBarrierInit()) GTEST_SKIP() << "no barrier on this system";
  }
};

// kThreads threads count to kRounds each under one lock; what is done in a section is up to `work`.
template <class Work>
void CountUnderLock(int threads, int rounds, Work work) {
  BriefMutex mu;
  int n = 0;
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        BriefGuard guard(&mu);
        const int before = n;
        work();
        n = before + 1;
      }
    });
  }
  for (std::thread& t : all) t.join();
  EXPECT_EQ(n, threads * rounds);
  EXPECT_FALSE(mu.IsLocked());
}

// Under ThreadSanitizer a missing acquire or release shows as a race on the count.
TEST_P(BriefMutexTest, ExcludesUnderContention) {
  CountUnderLock(4, 20000, [] {});
}

// Longer sections than any spin: the threads have to sleep, and each wake-up counts.
TEST_P(BriefMutexTest, WakesSleepersWhenSectionsAreLong) {
  CountUnderLock(3, 200, [] { std::this_thread::sleep_for(kLongerThanASpin); });
}

// Locks of one hash share a word.
TEST_P(BriefMutexTest, LocksOfOneHashDoNotDisturbEachOther) {
  struct alignas(4096) Page {
    BriefMutex mu;
    int n = 0;
  };
  constexpr int kLocks = 2, kRounds = 200;
  auto pages = std::make_unique<Page[]>(kLocks);
  std::vector<std::thread> all;
  for (int t = 0; t < 2 * kLocks; ++t) {
    all.emplace_back([&page = pages[t % kLocks]] {
      for (int i = 0; i < kRounds; ++i) {
        BriefGuard guard(&page.mu);
        std::this_thread::sleep_for(kLongerThanASpin);
        ++page.n;
      }
    });
  }
  for (std::thread& t : all) t.join();
  for (int i = 0; i < kLocks; ++i) EXPECT_EQ(pages[i].n, 2 * kRounds);
}

// The owner frees the lock as soon as it has it; under AddressSanitizer an Unlock that looks at the
// word once more is a use after free.
TEST_P(BriefMutexTest, MayBeFreedByItsNextOwner) {
  for (int i = 0; i < 2000; ++i) {
    auto* mu = new BriefMutex;
    mu->Lock();
    std::thread next([mu] {
      mu->Lock();
      mu->Unlock();
      delete mu;
    });
    mu->Unlock();
    next.join();
  }
}

TEST_P(BriefMutexTest, LeavesErrnoAlone) {
  BriefMutex mu;
  errno = 1234;
  mu.Lock();
  std::thread waiter([&] { BriefGuard guard(&mu); });
  mu.Unlock();
  waiter.join();
  EXPECT_EQ(errno, 1234);
}

INSTANTIATE_TEST_SUITE_P(Barrier, BriefMutexTest, ::testing::Values(false, true));

TEST(BriefMutex, UnlockOfAnUnlockedLockIsFatal) {
  ChildResult r = RunInChild([] {
    BriefMutex mu;
    mu.Unlock();
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, kDebug ? "fatal error: unlock of a lock that this thread does not hold\n"
                             : "fatal error: unlock of unlocked lock\n");
}

TEST(BriefMutex, IsCountedForTheThreadThatHoldsIt) {
  BriefMutex mu;
  EXPECT_EQ(LocksCounted(), 0);
  mu.Lock();
  EXPECT_EQ(LocksCounted(), 1);
  mu.Unlock();
  EXPECT_EQ(LocksCounted(), 0);
}

constinit BriefMutex static_mutex{LockRank::kHchan};

TEST(BriefMutex, WorksBeforeAnyConstructorHasRun) {
  BriefGuard guard(&static_mutex);
  EXPECT_TRUE(static_mutex.IsLocked());
}

}  // namespace
}  // namespace gort::rt
