// Mutex: exclusion, hand-over to starving waiters, adapters, life-time. Misuse: fatal_test.cc.
#include "gort/sync/mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"

// Locks taken in one lambda and released in another, and the results of TryLock inside EXPECT_TRUE,
// are beyond the analysis.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

constexpr int kRounds = GORT_TEST_SANITIZED ? 2'000 : 50'000;

TEST(MutexTest, TryLock) {
  InGort([] {
    Mutex mu;
    EXPECT_TRUE(mu.TryLock());
    EXPECT_FALSE(mu.TryLock());
    mu.Unlock();
    mu.Lock();
    EXPECT_FALSE(mu.TryLock());
    mu.Unlock();
    EXPECT_TRUE(mu.TryLock());
    mu.Unlock();
  });
}

// n goroutines that wait for *mu, which is locked, one after the other; each notes its number in
// *order when it has the lock.
std::vector<Probe> Queue(Mutex* mu, int n, std::vector<int>* order) {
  std::vector<Probe> probes;
  for (int i = 0; i < n; ++i) {
    probes.emplace_back([=] {
      mu->Lock();
      order->push_back(i);
      mu->Unlock();
    });
    EXPECT_EQ(probes.back().Waits(), "sync.Mutex.Lock");
  }
  return probes;
}

TEST(MutexTest, WaitsAndIsWoken) {
  InGort([] {
    Mutex mu;
    mu.Lock();
    std::vector<int> order;
    std::vector<Probe> probes = Queue(&mu, 5, &order);
    mu.Unlock();
    for (Probe& p : probes) EXPECT_TRUE(p.Finish());
    EXPECT_EQ(order.size(), 5u);
  });
}

void Exclusion(int procs, int goroutines) {
  InGort([=] {
    Procs p(procs);
    Mutex mu;
    int64_t count = 0;
    std::atomic<int> inside{0};
    std::atomic<int> overlaps{0};
    WaitGroup wg;
    for (int g = 0; g < goroutines; ++g) {
      wg.Go([&] {
        for (int i = 0; i < kRounds; ++i) {
          if (i % 3 == 0) {
            while (!mu.TryLock()) Yield();
          } else {
            mu.Lock();
          }
          if (inside.fetch_add(1) != 0) ++overlaps;
          ++count;
          if (i % 64 == 0) Yield();
          inside.fetch_sub(1);
          mu.Unlock();
        }
      });
    }
    wg.Wait();
    EXPECT_EQ(count, int64_t{goroutines} * kRounds);
    EXPECT_EQ(overlaps, 0);
  });
}

TEST(MutexTest, ExclusionOnOneP) { Exclusion(1, 8); }
TEST(MutexTest, ExclusionOnFourPs) { Exclusion(4, 8); }

// A hog unlocks and locks again at once, so that a waiter that it wakes always finds the lock
// taken, until starvation mode hands it over.
void Hog(int procs) {
  InGort([=] {
    Procs p(procs);
    Mutex mu;
    std::atomic<bool> stop{false};
    std::atomic<int64_t> hogged{0};
    WaitGroup wg;
    mu.Lock();
    wg.Go([&] {
      while (!stop.load()) {
        mu.Lock();
        ++hogged;
        Yield();
        mu.Unlock();
      }
    });
    mu.Unlock();
    while (hogged.load() == 0) Yield();
    for (int i = 0; i < 20; ++i) {
      Yield();
      mu.Lock();
      mu.Unlock();
    }
    stop.store(true);
    wg.Wait();
  });
}

TEST(MutexTest, FairUnderAHogOnOneP) { Hog(1); }
TEST(MutexTest, FairUnderAHogOnTwoPs) { Hog(2); }

// Unlock wakes the first waiter; its owner takes the lock again before the waiter runs.
TEST(MutexTest, AWaiterThatCameTooLateStaysTheFirst) {
  InGort([] {
    Procs one(1);
    Mutex mu;
    std::vector<int> order;
    mu.Lock();
    std::vector<Probe> probes = Queue(&mu, 2, &order);
    mu.Unlock();
    if (mu.TryLock()) {
      if (order.empty()) {  // always, unless a time slice has just ended
        EXPECT_EQ(probes[0].Waits(), "sync.Mutex.Lock");
      }
      mu.Unlock();
    }
    for (Probe& p : probes) EXPECT_TRUE(p.Finish());
    EXPECT_EQ(order, (std::vector<int>{0, 1}));
  });
}

// The state of a lock that was handed to a waiter that has waited too long. False: the waiter had
// it before, because a time slice ended.
bool HandsOverAndGoesBackToNormal() {
  Mutex mu;
  WaitGroup gate;
  gate.Add(1);
  mu.Lock();
  Probe waiter([&] {
    mu.Lock();
    gate.Wait();
    mu.Unlock();
  });
  EXPECT_EQ(waiter.Waits(), "sync.Mutex.Lock");
  const auto late = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
  while (std::chrono::steady_clock::now() < late) Yield();
  mu.Unlock();
  const bool again = mu.TryLock();
  if (again) {
    // The waiter finds the lock taken, and turns starvation mode on.
    EXPECT_EQ(waiter.Waits(), "sync.Mutex.Lock");
    mu.Unlock();
    EXPECT_FALSE(mu.TryLock()) << "the waiter's, though it has not run yet";
  }
  gate.Done();
  EXPECT_TRUE(waiter.Finish());
  EXPECT_TRUE(mu.TryLock()) << "the last waiter ends starvation mode";
  mu.Unlock();
  return again;
}

TEST(MutexTest, StarvationModeHandsOverAndEndsWithTheLastWaiter) {
  InGort([] {
    Procs one(1);
    EXPECT_TRUE(testing::Eventually([] { return HandsOverAndGoesBackToNormal(); }));
  });
}

TEST(MutexTest, StandardAdapters) {
  InGort([] {
    Mutex a, b;
    int n = 0;
    WaitGroup wg;
    for (int g = 0; g < 4; ++g) {
      wg.Go([&] {
        for (int i = 0; i < 1000; ++i) {
          if (i % 2 == 0) {
            std::scoped_lock both(a, b);
            ++n;
          } else {
            std::scoped_lock both(b, a);
            ++n;
          }
        }
      });
    }
    wg.Wait();
    EXPECT_EQ(n, 4000);
    {
      std::lock_guard<Mutex> guard(a);
      std::unique_lock<Mutex> attempt(a, std::try_to_lock);
      EXPECT_FALSE(attempt.owns_lock());
    }
    std::unique_lock<Mutex> lock(a);
    lock.unlock();
    lock.lock();
  });
}

TEST(MutexTest, AnotherGoroutineMayUnlock) {
  InGort([] {
    Mutex mu;
    mu.Lock();
    Probe p([&] { mu.Lock(); });
    Probe q([&] { mu.Unlock(); });
    EXPECT_TRUE(p.Finish());
    EXPECT_FALSE(mu.TryLock());
    mu.Unlock();
  });
}

// The usual way to die: the last one out of the lock frees the object that the lock is in.
TEST(MutexTest, DestroyedByTheLastOwner) {
  InGort([] {
    Procs p(4);
    struct Object {
      Mutex mu;
      int refs = 3;
      static void Drop(Object* o) {
        o->mu.Lock();
        bool last = --o->refs == 0;
        o->mu.Unlock();
        if (last) delete o;
      }
    };
    for (int i = 0; i < kRounds / 5; ++i) {
      auto* o = new Object;
      WaitGroup wg;
      for (int g = 0; g < 3; ++g) wg.Go([o] { Object::Drop(o); });
      wg.Wait();
    }
  });
}

}  // namespace
}  // namespace gort
