// Cond: order, broadcast, no lost signal.
#include "gort/sync/cond.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;

TEST(CondTest, SignalWakesInOrder) {
  InGort([] {
    Mutex mu;
    Cond cond(mu);
    std::vector<int> order;
    std::vector<Probe> probes;
    cond.Signal();  // nobody: lost
    for (int i = 0; i < 10; ++i) {
      probes.emplace_back([&, i] {
        mu.Lock();
        cond.Wait();
        order.push_back(i);
        mu.Unlock();
      });
      EXPECT_EQ(probes.back().Waits(), "sync.Cond.Wait");
    }
    for (int i = 0; i < 10; ++i) {
      cond.Signal();
      ASSERT_TRUE(probes[i].Finish()) << i;
      ASSERT_EQ(order.size(), static_cast<size_t>(i) + 1);
      EXPECT_EQ(order.back(), i);
    }
  });
}

TEST(CondTest, BroadcastWakesAll) {
  InGort([] {
    Mutex mu;
    Cond cond(mu);
    int woken = 0;
    std::vector<Probe> probes;
    for (int i = 0; i < 10; ++i) {
      probes.emplace_back([&] {
        mu.Lock();
        cond.Wait();
        ++woken;
        mu.Unlock();
      });
    }
    mu.Lock();
    cond.Broadcast();
    mu.Unlock();
    for (Probe& p : probes) EXPECT_TRUE(p.Finish());
    EXPECT_EQ(woken, 10);
  });
}

TEST(CondTest, SignalAfterABroadcastWakesTheNext) {
  InGort([] {
    Mutex mu;
    Cond cond(mu);
    auto wait = [&] {
      mu.Lock();
      cond.Wait();
      mu.Unlock();
    };
    Probe first(wait);
    EXPECT_EQ(first.Waits(), "sync.Cond.Wait");
    cond.Broadcast();
    EXPECT_TRUE(first.Finish());
    Probe next(wait);
    EXPECT_EQ(next.Waits(), "sync.Cond.Wait");
    cond.Signal();
    EXPECT_TRUE(next.Finish());
  });
}

TEST(CondTest, BoundedQueue) {
  InGort([] {
    Procs p(4);
    constexpr int kItems = GORT_TEST_SANITIZED ? 2'000 : 50'000;
    Mutex mu;
    Cond not_full(mu);
    Cond not_empty(mu);
    std::deque<int> queue;
    int64_t sum = 0;
    WaitGroup wg;
    for (int g = 0; g < 3; ++g) {
      wg.Go([&] {
        for (int i = 1; i <= kItems; ++i) {
          mu.Lock();
          not_full.Wait([&] { return queue.size() < 4; });
          queue.push_back(i);
          mu.Unlock();
          not_empty.Signal();
        }
      });
      wg.Go([&] {
        for (int i = 1; i <= kItems; ++i) {
          mu.Lock();
          while (queue.empty()) not_empty.Wait();
          sum += queue.front();
          queue.pop_front();
          mu.Unlock();
          not_full.Signal();
        }
      });
    }
    wg.Wait();
    EXPECT_EQ(sum, int64_t{3} * kItems * (kItems + 1) / 2);
  });
}

}  // namespace
}  // namespace gort
