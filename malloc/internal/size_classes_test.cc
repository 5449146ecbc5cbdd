#include "gort/malloc/internal/size_classes.h"

#include "gtest/gtest.h"

namespace gort::rt {
namespace {

TEST(SizeClassesTest, EverySizeGetsTheSmallestClassThatHoldsIt) {
  for (size_t n = 1; n <= kMaxSmallSize; ++n) {
    int c = SizeToClass(n);
    ASSERT_GT(c, 0);
    ASSERT_LT(c, kNumSizeClasses);
    ASSERT_GE(kSizeClasses[c].size, n);
    ASSERT_LT(kSizeClasses[c - 1].size, n);
  }
}

TEST(SizeClassesTest, WasteIsBounded) {
  for (int c = 1; c < kNumSizeClasses; ++c) {
    const SizeClass& k = kSizeClasses[c];
    const size_t span = k.pages * kHeapPageSize;
    const size_t smallest_request = kSizeClasses[c - 1].size + 1;
    EXPECT_LE(k.objects * k.size, span);
    EXPECT_LE(k.objects, kMaxObjectsPerSpan);
    EXPECT_LE(k.batch, kMaxBatch);
    // Up to 128 bytes the alignment of 16 decides.
    if (k.size >= 128) {
      EXPECT_LE(span - k.objects * smallest_request, span / 8) << k.size;
    }
  }
}

TEST(SizeClassesTest, ObjectsAreAligned) {
  for (int c = 1; c < kNumSizeClasses; ++c) {
    EXPECT_EQ(kSizeClasses[c].size % (kSizeClasses[c].size < 16 ? 8 : 16), 0u);
  }
  for (size_t power = 8; power <= kMaxSmallSize; power *= 2) {
    EXPECT_EQ(kSizeClasses[SizeToClass(power)].size, power);
  }
}

TEST(SizeClassesTest, MagicDivides) {
  for (int c = 1; c < kNumSpanClasses; ++c) {
    const SizeClass& k = kSizeClasses[c];
    for (uint64_t offset = 0; offset < k.pages * kHeapPageSize; ++offset) {
      ASSERT_EQ(offset * k.magic >> 32, offset / k.size) << k.size;
    }
  }
}

}  // namespace
}  // namespace gort::rt
