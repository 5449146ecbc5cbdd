#include "gort/proc/p_mask.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gort/gmp/sched.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

TEST(PMask, StartsEmpty) {
  PMask mask;
  for (int32_t id = 0; id < kMaxProcs; id++) EXPECT_FALSE(mask.Read(id));
}

TEST(PMask, SetAndClearTouchOneBit) {
  PMask mask;
  for (int32_t id : {0, 1, 63, 64, 65, kMaxProcs - 1}) {
    mask.Set(id);
    mask.Set(id);
    for (int32_t other = 0; other < kMaxProcs; other++) {
      ASSERT_EQ(mask.Read(other), other == id) << "set " << id << " read " << other;
    }
    mask.Clear(id);
    mask.Clear(id);
    ASSERT_FALSE(mask.Read(id));
  }
}

TEST(PMask, NeighboursInOneWordDoNotDisturbEachOther) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 5000;
  PMask mask;
  std::atomic<int> bad{0};
  std::vector<std::thread> threads;
  for (int id = 0; id < kThreads; id++) {
    threads.emplace_back([&mask, &bad, id] {
      for (int i = 0; i < kRounds; i++) {
        mask.Set(id);
        if (!mask.Read(id)) bad++;
        mask.Clear(id);
        if (mask.Read(id)) bad++;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad.load(), 0);
}

}  // namespace
}  // namespace gort::rt
