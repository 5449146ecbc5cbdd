#include "gort/proc/steal_order.h"

#include <cstdint>
#include <set>
#include <vector>

#include "gort/gmp/sched.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

std::vector<uint32_t> Positions(const StealOrder& order, uint32_t seed) {
  std::vector<uint32_t> positions;
  for (auto e = order.Start(seed); !e.Done(); e.Next()) positions.push_back(e.Position());
  return positions;
}

TEST(StealOrder, BeforeResetThereIsNothingToVisit) {
  StealOrder order;
  EXPECT_TRUE(order.Start(17).Done());
}

TEST(StealOrder, EveryOrderVisitsEveryPositionOnce) {
  StealOrder order;
  for (uint32_t n = 1; n <= 40; n++) {
    order.Reset(n);
    for (uint32_t seed = 0; seed < n * n; seed++) {
      const std::vector<uint32_t> positions = Positions(order, seed);
      ASSERT_EQ(positions.size(), n);
      const std::set<uint32_t> distinct(positions.begin(), positions.end());
      ASSERT_EQ(distinct.size(), n) << "seed " << seed;
      ASSERT_LT(*distinct.rbegin(), n);
    }
  }
}

TEST(StealOrder, SeedsGiveAllStartsAndSteps) {
  StealOrder order;
  order.Reset(8);  // steps 1, 3, 5, 7
  std::set<std::vector<uint32_t>> orders;
  for (uint32_t seed = 0; seed < 8 * 4; seed++) orders.insert(Positions(order, seed));
  EXPECT_EQ(orders.size(), 8u * 4u);
  EXPECT_EQ(Positions(order, 5), Positions(order, 5 + 8 * 4));
  EXPECT_EQ(Positions(order, 2 + 8), (std::vector<uint32_t>{2, 5, 0, 3, 6, 1, 4, 7}));
}

TEST(StealOrder, ResetShrinksAndGrows) {
  StealOrder order;
  order.Reset(kMaxProcs);
  EXPECT_EQ(Positions(order, 0xffffffff).size(), static_cast<size_t>(kMaxProcs));
  order.Reset(1);
  EXPECT_EQ(Positions(order, 0xffffffff), std::vector<uint32_t>{0});
  order.Reset(3);
  EXPECT_EQ(Positions(order, 3), (std::vector<uint32_t>{0, 2, 1}));
}

}  // namespace
}  // namespace gort::rt
