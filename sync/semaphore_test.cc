// Semaphore: order, no overtaking, counts.
#include "gort/sync/semaphore.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/base/panic.h"
#include "gort/base/rand.h"
#include "gort/context/context.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"

GORT_TEST_LEAVES_GOROUTINES_BEHIND

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

inline constexpr ContextKey<int> kKey;

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
    Probe late([&] {
      s.Acquire(3);
      s.Release(3);
    });
    EXPECT_EQ(late.Waits(), "sync.Semaphore.Acquire") << "3 are free, but others came before";
    s.Release(1);
    EXPECT_TRUE(large.Finish());
    EXPECT_FALSE(small1.done());
    s.Release(4);
    EXPECT_TRUE(small1.Finish());
    EXPECT_TRUE(small2.Finish());
    EXPECT_EQ(place[0], 1);
    s.Release(2);
    EXPECT_TRUE(late.Finish());
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

TEST(SemaphoreTest, AcquireWithContext) {
  InGort([] {
    Semaphore s(3);
    auto [ctx, cancel] = WithCancel(Background());
    EXPECT_TRUE(s.Acquire(ctx).ok());
    EXPECT_TRUE(s.Acquire(Background(), 2).ok());
    absl::Status got[3];
    Probe first([&, ctx = ctx] { got[0] = s.Acquire(ctx, 3); });
    Probe behind([&] { got[1] = s.Acquire(WithValue(Background(), kKey, 1), 1); });
    Probe plain([&] { s.Acquire(1); });
    EXPECT_EQ(first.Waits(), "sync.Semaphore.Acquire");
    s.Release(2);
    EXPECT_EQ(behind.Waits(), "sync.Semaphore.Acquire") << "not overtaken";
    EXPECT_EQ(plain.Waits(), "sync.Semaphore.Acquire");
    cancel();
    EXPECT_TRUE(first.Finish());
    EXPECT_EQ(got[0], ctx.Err());
    EXPECT_TRUE(behind.Finish()) << "it was in their way";
    EXPECT_TRUE(plain.Finish());
    EXPECT_TRUE(got[1].ok());
    EXPECT_EQ(s.Acquire(ctx, 0), ctx.Err()) << "cancelled before: nothing is taken";
    EXPECT_FALSE(s.TryAcquire());
    s.Release(3);
    EXPECT_TRUE(s.TryAcquire(3));
    auto [timed, cancel_timed] = WithTimeout(Background(), absl::Milliseconds(2));
    EXPECT_EQ(s.Acquire(timed).code(), absl::StatusCode::kDeadlineExceeded);
    auto [more, cancel_more] = WithTimeout(Background(), absl::Milliseconds(2));
    EXPECT_EQ(s.Acquire(more, 4).code(), absl::StatusCode::kDeadlineExceeded) << "too many";
    auto [alive, cancel_alive] = WithCancel(Background());
    EXPECT_THROW(s.Acquire(alive, -1).IgnoreError(), Panic);
    Probe served([&, alive = alive] { got[2] = s.Acquire(alive, 2); });
    EXPECT_EQ(served.Waits(), "sync.Semaphore.Acquire");
    s.Release(3);
    EXPECT_TRUE(served.Finish());
    EXPECT_TRUE(got[2].ok());
    s.Release(2);
    cancel_alive();
    EXPECT_TRUE(s.TryAcquire(3));
  });
}

// Cancelling and serving at the same moment: units are neither lost nor made.
TEST(SemaphoreTest, CancelAgainstRelease) {
  InGort([] {
    Procs p(4);
    constexpr int kRounds = GORT_TEST_SANITIZED ? 500 : 10'000;
    Semaphore s(5);
    std::atomic<int64_t> inside{0};
    std::atomic<int> wrong{0}, served{0}, refused{0};
    WaitGroup wg;
    for (int g = 0; g < 8; ++g) {
      wg.Go([&, g] {
        rt::FastRand rand(static_cast<uint64_t>(g) + 1);
        for (int i = 0; i < kRounds; ++i) {
          const int64_t k = 1 + rand.N(5);
          auto [ctx, cancel] = WithTimeout(Background(), absl::Nanoseconds(rand.N(20'000)));
          if (!s.Acquire(ctx, k).ok()) {
            ++refused;
            continue;
          }
          ++served;
          if (inside.fetch_add(k) + k > 5) ++wrong;
          if (i % 4 == 0) Yield();
          inside.fetch_sub(k);
          s.Release(k);
          cancel();
        }
      });
    }
    wg.Wait();
    EXPECT_EQ(wrong, 0);
    EXPECT_GT(served, 0);
    EXPECT_GT(refused, 0);
    EXPECT_TRUE(s.TryAcquire(5)) << served << " served, " << refused << " refused";
  });
}

}  // namespace
}  // namespace gort
