// RWMutex: readers together, writers alone, neither starves. Misuse: fatal_test.cc.
#include "gort/sync/rwmutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
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

constexpr int kRounds = GORT_TEST_SANITIZED ? 1'000 : 20'000;

TEST(RWMutexTest, TryTable) {
  InGort([] {
    RWMutex mu;
    EXPECT_TRUE(mu.TryRLock());
    EXPECT_TRUE(mu.TryRLock());
    EXPECT_FALSE(mu.TryLock());
    mu.RUnlock();
    mu.RUnlock();
    EXPECT_TRUE(mu.TryLock());
    EXPECT_FALSE(mu.TryLock());
    EXPECT_FALSE(mu.TryRLock());
    mu.Unlock();
    EXPECT_TRUE(mu.TryRLock());
    mu.RUnlock();
  });
}

TEST(RWMutexTest, WaitingWriterKeepsNewReadersOut) {
  InGort([] {
    RWMutex mu;
    std::vector<char> order;
    mu.RLock();
    Probe writer([&] {
      mu.Lock();
      order.push_back('w');
      mu.Unlock();
    });
    EXPECT_EQ(writer.Waits(), "sync.RWMutex.Lock");
    Probe reader([&] {
      mu.RLock();
      order.push_back('r');
      mu.RUnlock();
    });
    EXPECT_EQ(reader.Waits(), "sync.RWMutex.RLock");
    EXPECT_FALSE(mu.TryRLock());
    mu.RUnlock();
    EXPECT_TRUE(writer.Finish());
    EXPECT_TRUE(reader.Finish());
    EXPECT_EQ(order, (std::vector<char>{'w', 'r'}));
  });
}

TEST(RWMutexTest, ReadersGoBeforeTheNextWriter) {
  InGort([] {
    Procs one(1);
    RWMutex mu;
    std::vector<char> order;
    mu.Lock();
    Probe reader([&] {
      mu.RLock();
      order.push_back('r');
      mu.RUnlock();
    });
    Probe writer([&] {
      mu.Lock();
      order.push_back('w');
      mu.Unlock();
    });
    mu.Unlock();
    EXPECT_TRUE(reader.Finish());
    EXPECT_TRUE(writer.Finish());
    EXPECT_EQ(order, (std::vector<char>{'r', 'w'}));
  });
}

void Hammer(int procs, int readers, int writers) {
  InGort([=] {
    Procs p(procs);
    RWMutex mu;
    std::atomic<int> state{0};  // readers inside, or 10000 for a writer
    std::atomic<int> wrong{0};
    int64_t writes = 0;
    WaitGroup wg;
    for (int i = 0; i < readers; ++i) {
      wg.Go([&] {
        for (int n = 0; n < kRounds; ++n) {
          mu.RLock();
          if (state.fetch_add(1) >= 10000) ++wrong;
          if (n % 32 == 0) Yield();
          state.fetch_sub(1);
          mu.RUnlock();
        }
      });
    }
    for (int i = 0; i < writers; ++i) {
      wg.Go([&] {
        for (int n = 0; n < kRounds / 4; ++n) {
          mu.Lock();
          if (state.fetch_add(10000) != 0) ++wrong;
          ++writes;
          if (n % 32 == 0) Yield();
          state.fetch_sub(10000);
          mu.Unlock();
        }
      });
    }
    wg.Wait();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(writes, int64_t{writers} * (kRounds / 4));
  });
}

TEST(RWMutexTest, HammerOneP) { Hammer(1, 5, 2); }
TEST(RWMutexTest, HammerFourPs) { Hammer(4, 10, 1); }
TEST(RWMutexTest, HammerManyWriters) { Hammer(4, 3, 8); }

TEST(RWMutexTest, StandardAdapters) {
  InGort([] {
    RWMutex mu;
    {
      std::shared_lock<RWMutex> a(mu);
      std::shared_lock<RWMutex> b(mu, std::try_to_lock);
      EXPECT_TRUE(b.owns_lock());
      std::unique_lock<RWMutex> c(mu, std::try_to_lock);
      EXPECT_FALSE(c.owns_lock());
    }
    std::lock_guard<RWMutex> guard(mu);
    EXPECT_FALSE(mu.TryRLock());
  });
}

}  // namespace
}  // namespace gort
