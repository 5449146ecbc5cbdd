#include "gort/stack/stack.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "gort/tests/support/child.h"

namespace gort::stack {
namespace {

TEST(Stack, HoldsWhatWasAskedFor) {
  for (size_t bytes : {size_t{1}, size_t{4096}, size_t{32} << 10, size_t{256} << 10,
                       (size_t{1} << 20) + 1, size_t{100} << 20}) {
    Stack s = Alloc(bytes);
    ASSERT_TRUE(s);
    EXPECT_GE(s.size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(s.hi) % 16, 0u);
    s.hi[-1] = 1;
    s.lo[0] = 1;
    Free(s);
  }
}

// Thousands of them lie side by side, and take no more memory than their size.
TEST(Stack, SmallOnesShareTheirPages) {
  for (size_t bytes : {size_t{1}, size_t{1984}, size_t{1985}, size_t{5000}, kMaxSmall}) {
    const int64_t before = ReadStats().inuse_bytes;
    std::vector<Stack> stacks;
    for (int i = 0; i < 1000; ++i) {
      Stack s = Alloc(bytes, Guard::kCanary);
      ASSERT_TRUE(s);
      EXPECT_GE(s.size(), bytes);
      EXPECT_LT(s.size(), 2 * bytes + 2048);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(s.hi) % 16, 0u);
      memset(s.lo, i, s.size());
      stacks.push_back(s);
    }
    const int64_t each = (ReadStats().inuse_bytes - before) / 1000;
    EXPECT_LE(each, static_cast<int64_t>(2 * bytes + 2200)) << bytes;
    for (size_t i = 0; i < stacks.size(); ++i) {
      EXPECT_EQ(*stacks[i].lo, static_cast<char>(i));
      EXPECT_EQ(stacks[i].hi[-1], static_cast<char>(i));
      Free(stacks[i]);
    }
    EXPECT_EQ(ReadStats().inuse_bytes, before);
  }
}

TEST(Stack, CanaryIsForSmallOnes) {
  Stack s = Alloc(kMaxSmall + 1, Guard::kCanary);
  EXPECT_GT(s.size(), size_t{16} << 10);
  Free(s);
  s = Alloc(0, Guard::kCanary);
  EXPECT_GT(s.size(), size_t{190} << 10);
  Free(s);
  // A stack of 32 KiB: what Guard::kPage, the default, always gives.
  s = Alloc(1);
  EXPECT_GT(s.size(), size_t{16} << 10);
  Free(s);
}

TEST(Stack, OverflowOfASmallOneEndsTheProcessWhenItIsFreed) {
  gort::testing::ChildResult r = gort::testing::RunInChild([] {
    Stack s = Alloc(2000, Guard::kCanary);
    s.lo[-1] = 1;
    Free(s);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("fatal error: stack overflow"), std::string::npos) << r.output;
}

TEST(Stack, ZeroIsTheUsualSize) {
  Stack s = Alloc(0);
  ASSERT_TRUE(s);
  EXPECT_GT(s.size(), size_t{190} << 10);
  Free(s);
}

TEST(Stack, WhatCannotBeIsEmpty) {
  for (size_t bytes : {size_t{1} << 30, size_t{1} << 40, SIZE_MAX - 5, SIZE_MAX}) {
    Stack s = Alloc(bytes);
    EXPECT_FALSE(s);
    EXPECT_EQ(s.lo, nullptr);
    EXPECT_EQ(s.hi, nullptr);
    EXPECT_EQ(s.size(), 0u);
    Free(s);
  }
}

TEST(Stack, ManyThreadsAndStats) {
  int64_t before = ReadStats().inuse_bytes;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      std::vector<Stack> mine;
      for (int i = 0; i < 500; ++i) {
        Stack s = Alloc(i % 2 == 0 ? 0 : 50'000);
        memset(s.hi - 512, i, 512);
        mine.push_back(s);
      }
      for (Stack s : mine) Free(s);
    });
  }
  for (std::thread& t : threads) t.join();
  Stats s = ReadStats();
  EXPECT_EQ(s.inuse_bytes, before);
  EXPECT_GT(s.guarded_by_kernel + s.guarded_by_mprotect + s.guarded_by_canary, 0);
  EXPECT_GT(Release(), 0u);
  EXPECT_EQ(ReadStats().cached_bytes, 0);
}

}  // namespace
}  // namespace gort::stack
