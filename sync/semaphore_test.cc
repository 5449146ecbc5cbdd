// Semaphore: order, no overtaking, counts.
#include "sync/semaphore.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "base/panic.h"
#include "sync/wait_group.h"
#include "tests/testing/goroutines.h"

GORT_TEST_LEAVES_GOROUTINES_BEHIND

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

TEST(SemaphoreTest, Counts) {
  InGort([] {
    Semaphore s(3);
    s.Acquire(2);
    EXPECT_TRUE(s.TryAcquire());
    EXPECT_FALSE(s.TryAcquire());
    EXPECT_TRUE(s.TryAcquire(0));
    s.Release(2);
    EXPECT_FALSE(s.TryAcquire(3));
    s.Release();
    EXPECT_TRUE(s.TryAcquire(3));
    s.Release(3);
    try {
      s.Release();
      FAIL();
    } catch (const Panic& e) {
      EXPECT_STREQ(e.what(), "semaphore: released more than held");
    }
    EXPECT_TRUE(s.TryAcquire(3));
    s.Release(3);
    Probe never([&] { s.Acquire(4); });
    EXPECT_EQ(never.Waits(), "sync.Semaphore.Acquire");
    EXPECT_TRUE(s.TryAcquire(3)) << "one that can never be served is in nobody's way";
    s.Release(3);
  });
}

TEST(SemaphoreTest, LargeAcquireIsNotOvertaken) {
  InGort([] {
    Semaphore s(4);
    s.Acquire(4);
    std::atomic<int> served{0};
    int place[3] = {};
    auto want = [&](int64_t k, int id) {
      return [&, k, id] {
        s.Acquire(k);
        place[id] = ++served;
      };
    };
    Probe large(want(4, 0));
    Probe small1(want(1, 1));
    Probe small2(want(1, 2));
    s.Release(3);
    EXPECT_FALSE(s.TryAcquire(1));
    EXPECT_EQ(small1.Waits(), "sync.Semaphore.Acquire");
    s.Release(1);
    EXPECT_TRUE(large.Finish());
    EXPECT_FALSE(small1.done());
    s.Release(4);
    EXPECT_TRUE(small1.Finish());
    EXPECT_TRUE(small2.Finish());
    EXPECT_EQ(place[0], 1);
    s.Release(2);
  });
}

TEST(SemaphoreTest, NeverMoreThanItsSize) {
  InGort([] {
    Procs p(4);
    constexpr int kRounds = GORT_TEST_SANITIZED ? 1'000 : 20'000;
    Semaphore s(5);
    std::atomic<int64_t> inside{0};
    std::atomic<int> wrong{0};
    WaitGroup wg;
    for (int g = 0; g < 8; ++g) {
      wg.Go([&, g] {
        for (int i = 0; i < kRounds; ++i) {
          int64_t k = (g + i) % 5 + 1;
          if (i % 4 != 0 || !s.TryAcquire(k)) s.Acquire(k);
          if (inside.fetch_add(k) + k > 5) ++wrong;
          if (i % 16 == 0) Yield();
          inside.fetch_sub(k);
          s.Release(k);
        }
      });
    }
    wg.Wait();
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(s.TryAcquire(5));
  });
}

}  // namespace
}  // namespace gort
