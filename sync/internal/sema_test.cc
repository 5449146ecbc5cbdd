// The semaphore table: many addresses in one table, order per address, LIFO, hand-over.
#include "gort/sync/internal/sema.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "gort/base/rand.h"
#include "gort/gmp/wait_reason.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using rt::SemAcquire;
using rt::SemRelease;
using Word = std::atomic<uint32_t>;

void Acquire(Word* w) { SemAcquire(w, false, rt::WaitReason::kSemAcquire); }

TEST(SemaTest, CountsWithoutWaiters) {
  InGort([] {
    Word w{2};
    Acquire(&w);
    Acquire(&w);
    EXPECT_EQ(w, 0u);
    SemRelease(&w, false);
    EXPECT_EQ(w, 1u);
  });
}

TEST(SemaTest, FirstComeFirstServedExceptLifo) {
  InGort([] {
    Procs one(1);
    Word w{0};
    std::vector<int> order;
    std::vector<Probe> probes;
    for (int i = 0; i < 6; ++i) {
      probes.emplace_back([&, i] {
        SemAcquire(&w, /*lifo=*/i == 3 || i == 5, rt::WaitReason::kSemAcquire);
        order.push_back(i);
      });
      EXPECT_EQ(probes.back().Waits(), "semacquire");
    }
    for (int i = 0; i < 6; ++i) {
      SemRelease(&w, /*handoff=*/i % 2 == 0);
      ASSERT_TRUE(::gort::testing::Eventually([&] { return order.size() == size_t(i) + 1; }));
    }
    EXPECT_EQ(order, (std::vector<int>{5, 3, 0, 1, 2, 4}));
  });
}

TEST(SemaTest, HandedOverIsNotForOthers) {
  InGort([] {
    Procs one(1);
    Word w{0};
    Probe p([&] { Acquire(&w); });
    SemRelease(&w, /*handoff=*/true);
    EXPECT_EQ(w, 0u) << "already taken for p, which has not run yet";
    EXPECT_TRUE(p.Finish());
    Probe q([&] { Acquire(&w); });
    SemRelease(&w, /*handoff=*/false);
    EXPECT_EQ(w, 1u);
    EXPECT_TRUE(q.Finish());
    EXPECT_EQ(w, 0u);
  });
}

// Random queueing and releasing over so many addresses that every tree has several nodes; each
// address serves its own waiters, in order.
TEST(SemaTest, ManyAddresses) {
  InGort([] {
    Procs one(1);
    constexpr int kWords = 2000;
    constexpr int kWaiters = GORT_TEST_SANITIZED ? 3000 : 10'000;
    auto words = std::make_unique<Word[]>(kWords);
    std::vector<std::vector<int>> expected(kWords), served(kWords);
    rt::FastRand rand(42);
    size_t done = 0;
    for (int i = 0; i < kWaiters; ++i) {
      int k = static_cast<int>(rand.N(kWords));
      Probe p([&, i, k] {
        Acquire(&words[k]);
        served[k].push_back(i);
        ++done;
      });
      ASSERT_EQ(p.Waits(), "semacquire");
      expected[k].push_back(i);
      int r = static_cast<int>(rand.N(kWords));
      if (served[r].size() < expected[r].size()) {
        SemRelease(&words[r], false);
        size_t want = served[r].size() + 1;
        ASSERT_TRUE(::gort::testing::Eventually([&] { return served[r].size() == want; }));
      }
    }
    // One at a time: of several that were woken, the last runs first.
    for (int k = 0; k < kWords; ++k) {
      for (size_t n = served[k].size(); n < expected[k].size(); ++n) {
        SemRelease(&words[k], true);
        ASSERT_TRUE(::gort::testing::Eventually([&] { return served[k].size() == n + 1; }));
      }
    }
    EXPECT_EQ(done, size_t{kWaiters});
    for (int k = 0; k < kWords; ++k) EXPECT_EQ(served[k], expected[k]) << k;
  });
}

TEST(SemaTest, NoWakeUpIsLost) {
  InGort([] {
    Procs p(4);
    constexpr int kRounds = GORT_TEST_SANITIZED ? 5'000 : 100'000;
    Word ping{0}, pong{0};
    Probe other([&] {
      for (int i = 0; i < kRounds; ++i) {
        Acquire(&ping);
        SemRelease(&pong, i % 2 == 0);
      }
    });
    for (int i = 0; i < kRounds; ++i) {
      SemRelease(&ping, i % 3 == 0);
      Acquire(&pong);
    }
    EXPECT_TRUE(other.Finish());
  });
}

}  // namespace
}  // namespace gort
