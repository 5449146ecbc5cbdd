#include "gort/lock/mutex.h"

#include <atomic>
#include <cerrno>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using testing::ChildResult;
using testing::RunInChild;

class Counter {
 public:
  void Add() {
    LockGuard guard(&mu_);
    ++n_;
  }
  bool TryAdd() {
    if (!mu_.TryLock()) return false;
    ++n_;
    mu_.Unlock();
    return true;
  }
  int Get() {
    LockGuard guard(&mu_);
    return GetLocked();
  }

 private:
  int GetLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    mu_.AssertHeld();
    return n_;
  }

  Mutex mu_;
  int n_ ABSL_GUARDED_BY(mu_) = 0;
};

// Under ThreadSanitizer a missing acquire or release shows as a race on n_.
TEST(Mutex, ExcludesUnderContention) {
  constexpr int kThreads = 4, kRounds = 20000;
  Counter counter;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) counter.Add();
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(counter.Get(), kThreads * kRounds);
}

// Longer sections than any spin: the threads have to sleep, and each wake-up counts.
TEST(Mutex, WakesSleepersWhenSectionsAreLong) {
  constexpr int kThreads = 3, kRounds = 200;
  Mutex mu;
  int n = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        LockGuard guard(&mu);
        int before = n;
        for (int k = 0; k < 20; ++k) std::this_thread::yield();
        n = before + 1;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(n, kThreads * kRounds);
  EXPECT_FALSE(mu.IsLocked());
}

TEST(Mutex, TryLockTakesAFreeLockAlone) {
  Mutex mu;
  ASSERT_TRUE(mu.TryLock());
  EXPECT_TRUE(mu.IsLocked());
  std::thread([&] { EXPECT_FALSE(mu.TryLock()); }).join();
  mu.Unlock();
  EXPECT_FALSE(mu.IsLocked());
}

TEST(Mutex, TryLockExcludesToo) {
  constexpr int kThreads = 3, kRounds = 20000;
  Counter counter;
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        if (counter.TryAdd()) taken.fetch_add(1, std::memory_order_relaxed);  // joined before read
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_GT(taken.load(), 0);
  EXPECT_EQ(counter.Get(), taken.load());
}

// The owner frees the mutex as soon as it has it; under AddressSanitizer an Unlock that looks at
// the word once more is a use after free.
TEST(Mutex, MayBeFreedByItsNextOwner) {
  for (int i = 0; i < 2000; ++i) {
    auto* mu = new Mutex;
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

TEST(Mutex, LeavesErrnoAlone) {
  Mutex mu;
  errno = 1234;
  mu.Lock();
  std::thread waiter([&] { LockGuard guard(&mu); });
  mu.Unlock();
  waiter.join();
  EXPECT_EQ(errno, 1234);
}

TEST(Mutex, UnlockOfAnUnlockedLockIsFatal) {
  ChildResult r = RunInChild([] {
    Mutex mu;
    mu.Unlock();
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, kDebug ? "fatal error: unlock of a lock that this thread does not hold\n"
                             : "fatal error: unlock of unlocked lock\n");
}

TEST(Mutex, AssertHeldIsFatalInDebugBuildsOnly) {
  ChildResult r = RunInChild([] {
    Mutex mu;
    mu.AssertHeld();
  });
  EXPECT_EQ(r.status, kDebug ? 2 : 0);
  EXPECT_EQ(r.output, kDebug ? "fatal error: lock is not held\n" : "");
}

TEST(Mutex, IsCountedForTheThreadThatHoldsIt) {
  Mutex mu;
  Mutex other;
  EXPECT_EQ(LocksCounted(), 0);
  mu.Lock();
  EXPECT_TRUE(other.TryLock());
  EXPECT_EQ(LocksCounted(), 2);
  std::thread([&] {
    EXPECT_FALSE(mu.TryLock());
    EXPECT_EQ(LocksCounted(), 0);
  }).join();
  other.Unlock();
  mu.Unlock();
  EXPECT_EQ(LocksCounted(), 0);
  mu.LockForFork();
  EXPECT_EQ(LocksCounted(), 1);
  mu.UnlockAfterFork();
  EXPECT_EQ(LocksCounted(), 0);
}

constinit Mutex static_mutex{LockRank::kSched};

TEST(Mutex, WorksBeforeAnyConstructorHasRun) {
  LockGuard guard(&static_mutex);
  EXPECT_TRUE(static_mutex.IsLocked());
}

}  // namespace
}  // namespace gort::rt
