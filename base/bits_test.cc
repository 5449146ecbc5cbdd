#include "gort/base/bits.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace gort::rt {
namespace {

TEST(Bits, AlignUpIsTheSmallestMultipleNotBelow) {
  for (size_t align = 1; align <= 4096; align *= 2) {
    for (size_t n = 0; n <= 3 * align; n += align / 8 + 1) {
      size_t up = AlignUp(n, align);
      EXPECT_GE(up, n);
      EXPECT_LT(up - n, align);
      EXPECT_EQ(up % align, 0u);
    }
  }
}

TEST(Bits, AlignDownIsTheGreatestMultipleNotAbove) {
  for (size_t align = 1; align <= 4096; align *= 2) {
    for (size_t n = 0; n <= 3 * align; n += align / 8 + 1) {
      size_t down = AlignDown(n, align);
      EXPECT_LE(down, n);
      EXPECT_LT(n - down, align);
      EXPECT_EQ(down % align, 0u);
      EXPECT_EQ(IsAligned(n, align), down == n);
    }
  }
}

TEST(Bits, AlignmentHoldsAtTheTopOfTheRange) {
  EXPECT_EQ(AlignDown(SIZE_MAX, 4096), SIZE_MAX - 4095);
  EXPECT_EQ(AlignUp(SIZE_MAX - 4095, 4096), SIZE_MAX - 4095);
  EXPECT_EQ(AlignUp(SIZE_MAX, 1), SIZE_MAX);
}

TEST(Bits, PowersOfTwoAreExactlyThoseWithOneBit) {
  EXPECT_FALSE(IsPowerOfTwo(0));
  for (int shift = 0; shift < 64; ++shift) {
    size_t n = size_t{1} << shift;
    EXPECT_TRUE(IsPowerOfTwo(n));
    if (shift > 1) {
      EXPECT_FALSE(IsPowerOfTwo(n - 1));
      EXPECT_FALSE(IsPowerOfTwo(n | 1));
    }
  }
}

TEST(Bits, LogarithmsBracketTheirArgument) {
  EXPECT_EQ(Log2Floor(0), -1);
  EXPECT_EQ(Log2Ceil(0), 0);
  EXPECT_EQ(Log2Ceil(1), 0);
  for (int shift = 0; shift < 64; ++shift) {
    size_t n = size_t{1} << shift;
    EXPECT_EQ(Log2Floor(n), shift);
    EXPECT_EQ(Log2Ceil(n), shift);
    if (shift == 0) continue;
    EXPECT_EQ(Log2Floor(n + (n - 1)), shift);
    EXPECT_EQ(Log2Floor(n - 1), shift - 1);
    if (shift < 63) {
      EXPECT_EQ(Log2Ceil(n + 1), shift + 1);
    }
  }
}

static_assert(AlignUp(1, 4096) == 4096, "usable in constant expressions");

}  // namespace
}  // namespace gort::rt
