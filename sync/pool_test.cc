// Pool: objects come back, nothing is shared or leaked.
#include "gort/sync/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

struct Thing {
  static inline std::atomic<int> alive{0};
  explicit Thing(int n) : v(n) { ++alive; }
  ~Thing() { --alive; }
  int v;
  std::atomic<int> users{0};
};

TEST(PoolTest, GivesBackWhatWasPut) {
  InGort([] {
    Procs one(1);
    Pool<int> pool;
    std::unique_ptr<int> p = pool.Get();
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(*p, 0);
    *p = 7;
    int* raw = p.get();
    pool.Put(std::move(p));
    pool.Put(nullptr);
    std::unique_ptr<int> q = pool.Get();
    EXPECT_EQ(q.get(), raw);
    EXPECT_EQ(*pool.Get(), 0);
    Pool<Thing> none;
    EXPECT_EQ(none.Get(), nullptr);
  });
}

TEST(PoolTest, BoundedAndFreed) {
  InGort([] {
    {
      Pool<Thing> pool([] { return std::make_unique<Thing>(3); });
      std::vector<std::unique_ptr<Thing>> all;
      for (int i = 0; i < 100'000; ++i) all.push_back(pool.Get());
      for (auto& p : all) pool.Put(std::move(p));
      EXPECT_GT(Thing::alive, 0);
      EXPECT_LT(Thing::alive, 100'000);
      EXPECT_EQ(pool.Get()->v, 3);
    }
    EXPECT_EQ(Thing::alive, 0);
  });
}

TEST(PoolTest, APKeepsItsShare) {
  InGort([] {
    Procs one(1);
    Pool<Thing> pool([] { return std::make_unique<Thing>(3); });
    std::vector<std::unique_ptr<Thing>> all;
    for (int i = 0; i <= rt::kPoolShardCap; ++i) all.push_back(pool.Get());
    for (auto& p : all) pool.Put(std::move(p));
    EXPECT_EQ(Thing::alive, rt::kPoolShardCap);
  });
}

// Two goroutines that run at the same time are on two Ps.
TEST(PoolTest, FindsWhatAnotherPKeeps) {
  InGort([] {
    Procs two(2);
    Pool<int> pool;
    std::atomic<int> running{0};
    int* put[2] = {};
    WaitGroup wg;
    for (int*& mine : put) {
      wg.Go([&] {
        auto p = std::make_unique<int>(1);
        mine = p.get();
        ++running;
        while (running < 2) {
        }
        pool.Put(std::move(p));
      });
    }
    wg.Wait();
    std::unique_ptr<int> a = pool.Get(), b = pool.Get();
    EXPECT_TRUE((a.get() == put[0] && b.get() == put[1]) ||
                (a.get() == put[1] && b.get() == put[0]));
  });
}

TEST(PoolTest, NobodySharesAnObject) {
  InGort([] {
    Procs p(4);
    constexpr int kRounds = GORT_TEST_SANITIZED ? 2'000 : 50'000;
    Pool<Thing> pool([] { return std::make_unique<Thing>(1); });
    std::atomic<int> wrong{0};
    WaitGroup wg;
    for (int g = 0; g < 8; ++g) {
      wg.Go([&] {
        for (int i = 0; i < kRounds; ++i) {
          auto t = pool.Get();
          if (t->users.fetch_add(1) != 0) ++wrong;
          if (i % 64 == 0) Yield();
          t->users.fetch_sub(1);
          pool.Put(std::move(t));
        }
      });
    }
    wg.Wait();
    EXPECT_EQ(wrong, 0);
    EXPECT_LE(Thing::alive, 8 + 8);
  });
}

}  // namespace
}  // namespace gort
