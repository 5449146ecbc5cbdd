#include "gort/stack/internal/stack_alloc.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/base/godebug.h"
#include "gort/gmp/g.h"
#include "gort/platforms/mem.h"
#include "gort/stack/internal/guard.h"
#include "gort/stack/internal/stack_chunk.h"
#include "gort/stack/internal/stack_layout.h"
#include "gort/tests/support/process.h"

namespace gort::rt {
namespace {

constexpr int64_t kAll = INT64_MAX;

size_t SizeOf(StackBounds b) { return b.hi - b.lo; }
// Where the guard of a large stack begins.
uintptr_t LowestOf(StackBounds b) {
  return b.lo - StackGuardBytes(StackReservationOf(b), PageSize());
}

void Fill(StackBounds b, size_t bytes) {
  memset(reinterpret_cast<void*>(b.hi - bytes), 0xa5, bytes);
}

int Mappings() {
  FILE* f = fopen("/proc/self/maps", "r");
  int n = 0;
  for (int c = fgetc(f); c != EOF; c = fgetc(f)) n += c == '\n';
  fclose(f);
  return n;
}

class StackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    godebug.stackguard = 0;
    StackInit();
    StackScavenge(kAll, 0);
    before_ = ReadStackStats();
  }
  // Every stack must have come back.
  void TearDown() override {
    godebug.stackguard = 0;
    StackInit();
    EXPECT_EQ(ReadStackStats().inuse_bytes, before_.inuse_bytes);
    StackScavenge(kAll, 0);
    EXPECT_EQ(StackScavengeDebt(), 0);
  }
  StackStats before_;
};

TEST(StackLayout, OneTableForEveryOs) {
  auto check = [](StackOs os, size_t fixed, int orders) {
    EXPECT_EQ(StackLayoutOf(os).fixed_stack, fixed);
    EXPECT_EQ(StackLayoutOf(os).orders, orders);
    EXPECT_LE(fixed << orders, kMinLargeStack);
  };
  check(StackOs::kLinux, 2048, 4);
  check(StackOs::kDarwin, 2048, 4);
  check(StackOs::kBsd, 2048, 4);
  check(StackOs::kWindows32, 4096, 3);
  check(StackOs::kWindows64, 8192, 2);
  check(StackOs::kPlan9, 4096, 2);
  EXPECT_EQ(kStackCacheBytes % PageSize(), 0u);
}

TEST(StackLayout, ReservationHoldsWhatWasAskedFor) {
  for (size_t page : {size_t{4096}, size_t{16384}, size_t{65536}}) {
    for (size_t want : {size_t{1}, size_t{100'000}, kDefaultStack, size_t{100} << 20}) {
      size_t r = StackReservation(want, page);
      EXPECT_GE(r, want + StackGuardBytes(r, page) + kMaxStackColour);
      EXPECT_GE(r, 4 * page);
    }
  }
}

TEST_F(StackTest, SizesAreRoundedUpAndLimited) {
  for (size_t want :
       {size_t{1}, size_t{2048}, size_t{2049}, size_t{16384}, size_t{16385}, size_t{100'000},
        kDefaultStack, kMainStack, size_t{40} << 20, size_t{64} << 20}) {
    StackBounds b = StackAlloc(want, nullptr);
    ASSERT_NE(b.lo, 0u) << want;
    EXPECT_GE(StackReservationOf(b), want);
    EXPECT_GT(SizeOf(b), StackReservationOf(b) / 2);
    EXPECT_TRUE(b.hi % 16 == 0 && b.lo % 16 == 0);
    memset(reinterpret_cast<void*>(b.lo), 1, 64);
    Fill(b, 64);
    StackFree(b, nullptr);
  }
  StackBounds dflt = StackAlloc(0, nullptr);
  EXPECT_EQ(StackReservationOf(dflt), kDefaultStack);
  StackFree(dflt, nullptr);
  EXPECT_EQ(StackAlloc(kMaxLargeStack + 1, nullptr).lo, 0u);
  EXPECT_EQ(StackAlloc(SIZE_MAX, nullptr).lo, 0u);
}

TEST_F(StackTest, LargestStack) {
  StackBounds b = StackAlloc(kMaxStackBytes, nullptr);
  ASSERT_NE(b.lo, 0u);
  EXPECT_GE(StackReservationOf(b), kMaxStackBytes);
  Fill(b, 4096);
  StackInfo info;
  ASSERT_TRUE(StackFind(b.lo - 1, &info));
  EXPECT_TRUE(info.in_guard);
  StackFree(b, nullptr);
  EXPECT_FALSE(StackFind(b.lo - 1, &info));
}

TEST_F(StackTest, StacksDoNotOverlap) {
  for (size_t bytes : {size_t{2048}, size_t{16384}, size_t{32768}, kDefaultStack}) {
    std::vector<StackBounds> all;
    std::set<uintptr_t> seen;
    for (int i = 0; i < 1000; ++i) {
      StackBounds b = StackAlloc(bytes, nullptr);
      ASSERT_TRUE(seen.insert(b.lo).second);
      auto next = seen.upper_bound(b.lo);
      if (next != seen.end()) {
        EXPECT_LE(b.hi, *next);
      }
      *reinterpret_cast<uintptr_t*>(b.hi - 8) = b.lo;
      *reinterpret_cast<uintptr_t*>(b.lo) = b.hi;
      all.push_back(b);
    }
    for (const StackBounds& b : all) {
      EXPECT_EQ(*reinterpret_cast<uintptr_t*>(b.hi - 8), b.lo);
      EXPECT_EQ(*reinterpret_cast<uintptr_t*>(b.lo), b.hi);
      StackFree(b, nullptr);
    }
  }
}

TEST_F(StackTest, TopsAreSpreadOverCacheSets) {
  std::set<size_t> offsets;
  std::vector<StackBounds> all;
  for (int i = 0; i < 64; ++i) {
    all.push_back(StackAlloc(kDefaultStack, nullptr));
    offsets.insert(all.back().hi % 4096);
  }
  EXPECT_EQ(offsets.size(), kStackColours);
  for (const StackBounds& b : all) {
    // A parked goroutine fits in what is left of the first page.
    EXPECT_TRUE(b.hi % 4096 == 0 || b.hi % 4096 >= 4096 - kMaxStackColour);
    StackFree(b, nullptr);
  }
}

TEST_F(StackTest, CacheRefillsAndReleasesByHalf) {
  StackCache* cache = AllocStackCache();
  for (size_t bytes : {size_t{2048}, size_t{4096}, size_t{16384}, kDefaultStack}) {
    std::vector<StackBounds> all;
    for (int i = 0; i < 200; ++i) all.push_back(StackAlloc(bytes, cache));
    for (const StackBounds& b : all) StackFree(b, cache);
    // What was freed last is used first.
    StackBounds again = StackAlloc(bytes, cache);
    EXPECT_EQ(again.lo, all.back().lo);
    StackFree(again, cache);
    // The cache did not keep everything.
    EXPECT_GT(StackScavengeDebt(), 0);
  }
  StackCacheFlush(cache);
}

TEST_F(StackTest, AStackIsWarmOnceItWasInUse) {
  StackCache* cache = AllocStackCache();
  EXPECT_FALSE(StackIsWarm(cache));
  StackBounds first = StackAlloc(0, cache);
  EXPECT_FALSE(StackIsWarm(cache));  // others came with it
  StackBounds second = StackAlloc(0, cache);
  StackFree(first, cache);
  EXPECT_TRUE(StackIsWarm(cache));
  EXPECT_EQ(StackAlloc(0, cache).lo, first.lo);
  EXPECT_FALSE(StackIsWarm(cache));
  StackFree(first, nullptr);
  StackFree(second, nullptr);
  StackCacheFlush(cache);
  EXPECT_FALSE(StackIsWarm(cache));
  // All that the pool has free was counted as used when it was given back: those are warm.
  first = StackAlloc(0, cache);
  EXPECT_TRUE(StackIsWarm(cache));
  StackFree(first, cache);
  StackCacheFlush(cache);
  StackScavenge(kAll, 0);
  first = StackAlloc(0, cache);
  EXPECT_FALSE(StackIsWarm(cache));
  StackFree(first, cache);
  StackCacheFlush(cache);
}

TEST_F(StackTest, AStackStaysWarmWhenOlderOnesGoBackToThePool) {
  StackCache* cache = AllocStackCache();
  std::vector<StackBounds> all;
  for (int i = 0; i < 100; ++i) all.push_back(StackAlloc(0, cache));
  for (const StackBounds& b : all) {
    StackFree(b, cache);
    EXPECT_TRUE(StackIsWarm(cache));
  }
  for (int i = 0; i < 16; ++i) {
    EXPECT_TRUE(StackIsWarm(cache));
    all[i] = StackAlloc(0, cache);
  }
  for (int i = 0; i < 16; ++i) StackFree(all[i], cache);
  StackCacheFlush(cache);
}

TEST_F(StackTest, GuardIsThereFromFirstUseAndWhileCached) {
  StackCache* cache = AllocStackCache();
  StackBounds b = StackAlloc(kDefaultStack, cache);
  StackInfo info;
  ASSERT_TRUE(StackFind(b.lo - 1, &info));
  EXPECT_TRUE(info.in_guard);
  EXPECT_EQ(info.stack.lo, b.lo);
  EXPECT_EQ(info.stack.hi, b.hi);
  EXPECT_NE(info.guard, GuardKind::kNone);
  auto* below = reinterpret_cast<char*>(b.lo - 1);
  auto* bottom = reinterpret_cast<char*>(LowestOf(b));
  bool canary = info.guard == GuardKind::kCanary;
  EXPECT_EQ(MemReadable(below), canary);
  EXPECT_EQ(MemReadable(bottom), canary);
  EXPECT_TRUE(MemReadable(reinterpret_cast<char*>(b.lo)));
  StackFree(b, cache);
  EXPECT_EQ(MemReadable(below), canary);
  StackCacheFlush(cache);
  EXPECT_EQ(MemReadable(below), canary);
  ASSERT_TRUE(StackFind(b.hi - 1, &info));
  EXPECT_FALSE(info.in_guard);
  EXPECT_FALSE(StackFind(reinterpret_cast<uintptr_t>(&info), &info));
}

TEST_F(StackTest, MprotectModeFallsBackToCanaryWhenItsBudgetIsSpent) {
  godebug.stackguard = 1;
  StackInit();
  int64_t budget = ReadStackStats().mprotect_budget;
  ASSERT_GT(budget, 0);
  ASSERT_LT(budget, static_cast<int64_t>(MemMaxMappings()) / 2);
  std::vector<StackBounds> all;
  StackInfo info;
  // 64 KiB: a size that no other test of this process has guarded.
  for (int64_t i = 0; i < budget + 100; ++i) {
    all.push_back(StackAlloc(64 << 10, nullptr));
    ASSERT_NE(all.back().lo, 0u);
  }
  StackStats s = ReadStackStats();
  EXPECT_EQ(s.mprotect_budget, 0);
  EXPECT_GE(s.guards_mprotect, budget);
  EXPECT_GE(s.guards_canary, 100);
  EXPECT_TRUE(StackCanaryMode());
  ASSERT_TRUE(StackFind(all.front().lo, &info));
  EXPECT_EQ(info.guard, GuardKind::kMprotect);
  EXPECT_FALSE(MemReadable(reinterpret_cast<char*>(all.front().lo - 1)));
  ASSERT_TRUE(StackFind(all.back().lo, &info));
  EXPECT_EQ(info.guard, GuardKind::kCanary);
  for (const StackBounds& b : all) StackFree(b, nullptr);
  // Whole chunks go back to the OS with their guards, and the budget is whole again.
  StackScavenge(kAll, 0);
  EXPECT_EQ(ReadStackStats().mprotect_budget, budget);
}

TEST_F(StackTest, CanaryTellsAnOverflow) {
  godebug.stackguard = 2;
  StackInit();
  G g;
  StackBounds lowest = StackAlloc(128 << 10, nullptr);  // see above; of a chunk, and so guarded
  g.stack = StackAlloc(128 << 10, nullptr);
  StackInfo info;
  ASSERT_TRUE(StackFind(lowest.lo, &info));
  EXPECT_EQ(info.guard, GuardKind::kMprotect);
  ASSERT_TRUE(StackFind(g.stack.lo, &info));
  ASSERT_EQ(info.guard, GuardKind::kCanary);
  EXPECT_TRUE(StackCanaryMode());
  memset(reinterpret_cast<void*>(g.stack.lo), 0xff, SizeOf(g.stack));
  EXPECT_TRUE(StackCanaryOk(&g));
  auto* below = reinterpret_cast<volatile uintptr_t*>(g.stack.lo - 8);
  *below = 1;
  EXPECT_FALSE(StackCanaryOk(&g));
  *below = 0;
  EXPECT_TRUE(StackCanaryOk(&g));
  g.sched.sp = g.stack.lo;
  EXPECT_TRUE(StackCanaryOk(&g));
  g.sched.sp = g.stack.lo - 8;  // parked in the guard, where it has left nothing
  EXPECT_FALSE(StackCanaryOk(&g));
  g.sched.sp = LowestOf(g.stack);
  EXPECT_FALSE(StackCanaryOk(&g));
  g.sched.sp = 0;
  StackFree(g.stack, nullptr);
  StackFree(lowest, nullptr);

  g.stack = StackAlloc(4096, nullptr);
  EXPECT_TRUE(StackCanaryOk(&g));
  below = reinterpret_cast<volatile uintptr_t*>(g.stack.lo - 8);
  uintptr_t was = *below;
  *below = 0;
  EXPECT_FALSE(StackCanaryOk(&g));
  *below = was;
  StackFree(g.stack, nullptr);
  StackScavenge(kAll, 0);

  int local = 0;
  g.stack = {reinterpret_cast<uintptr_t>(&local), reinterpret_cast<uintptr_t>(&local + 1)};
  EXPECT_TRUE(StackCanaryOk(&g));  // not ours
}

// The first readable byte below lo, at the page.
uintptr_t ReadableBelow(uintptr_t lo) {
  const size_t page = PageSize();
  uintptr_t at = AlignDown(lo, page);
  do {
    at -= page;
  } while (!MemReadable(reinterpret_cast<void*>(at)));
  return at + page;
}

TEST_F(StackTest, FramesOfUpToAMebibyteDoNotReachTheRecordOfTheChunk) {
  for (const int64_t mode : {0, 1, 2}) {
    godebug.stackguard = mode;
    StackInit();
    for (const size_t bytes : {size_t{2048}, size_t{16384}, size_t{32768}, size_t{65536},
                               size_t{512} << 10, kDefaultStack, kMainStack}) {
      SCOPED_TRACE(::testing::Message() << "mode " << mode << ", " << bytes << " bytes");
      StackScavenge(kAll, 0);
      const StackBounds b = StackAlloc(bytes, nullptr);
      const StackChunk* c = ChunkOf(b.lo);
      ASSERT_NE(c, nullptr);
      const uintptr_t lowest = c->Bounds(c->first).lo;
      const uintptr_t readable = ReadableBelow(lowest);
      EXPECT_LE(readable, lowest - RecordGap(kStackChunkBytes));
      EXPECT_GE(readable, reinterpret_cast<uintptr_t>(c) + sizeof(StackChunk));
      StackFree(b, nullptr);
    }
  }
}

TEST_F(StackTest, AnOverflowInTheGapIsTheLowestStacks) {
  const StackBounds b = StackAlloc(kDefaultStack, nullptr);
  const StackChunk* c = ChunkOf(b.lo);
  StackInfo info;
  ASSERT_TRUE(StackFind(c->gap, &info));
  EXPECT_TRUE(info.in_guard);
  EXPECT_EQ(info.stack.lo, c->Bounds(c->first).lo);
  EXPECT_FALSE(StackFind(c->gap - 1, &info));
  StackFree(b, nullptr);
}

TEST_F(StackTest, ScavengeReturnsMemoryAndKeepsGuards) {
  constexpr int kStacks = 2000;
  constexpr size_t kTouched = 16 << 10;
  std::vector<StackBounds> all;
  for (int i = 0; i < kStacks; ++i) {
    all.push_back(StackAlloc(kDefaultStack, nullptr));
    Fill(all.back(), kTouched);
  }
  int64_t full = testing::ResidentBytes();
  // One stack in use keeps its chunk from going whole.
  StackBounds keep = all[0];
  for (int i = 1; i < kStacks; ++i) StackFree(all[i], nullptr);
  EXPECT_EQ(StackScavengeDebt(), (kStacks - 1) * static_cast<int64_t>(kDefaultStack));
  int64_t debt = StackScavengeDebt();
  int64_t done = 0;
  while (StackScavengeDebt() != 0) done += StackScavenge(100 * kDefaultStack, 0);
  EXPECT_EQ(done, debt);
  EXPECT_LT(testing::ResidentBytes(), full - static_cast<int64_t>(kStacks * kTouched * 9 / 10));
  EXPECT_EQ(*reinterpret_cast<unsigned char*>(keep.hi - 1), 0xa5);
  // Used again: guarded, zero.
  StackBounds again = StackAlloc(kDefaultStack, nullptr);
  StackInfo info;
  ASSERT_TRUE(StackFind(again.lo, &info));
  if (info.guard != GuardKind::kCanary) {
    EXPECT_FALSE(MemReadable(reinterpret_cast<char*>(again.lo - 1)));
  }
  EXPECT_EQ(*reinterpret_cast<unsigned char*>(again.hi - 1), 0);
  StackFree(again, nullptr);
  StackFree(keep, nullptr);
}

TEST_F(StackTest, ASweepStopsAtItsDeadlineAndGoesOn) {
  constexpr int kStacks = 1000;  // in four chunks or more
  std::vector<StackBounds> all;
  for (int i = 0; i < kStacks; ++i) all.push_back(StackAlloc(kDefaultStack, nullptr));
  for (const StackBounds& b : all) StackFree(b, nullptr);
  const int64_t debt = StackScavengeDebt();
  constexpr int64_t kChunk = int64_t{64} << 20;
  int64_t done = 0;
  int64_t before = 0;
  int portions = 1;
  for (; StackSweep(0, 0, &done); ++portions) {
    EXPECT_LE(done - before, kChunk);
    before = done;
  }
  EXPECT_GE(portions, 4);
  EXPECT_EQ(done, debt);
  EXPECT_EQ(StackScavengeDebt(), 0);
}

TEST_F(StackTest, ScavengeRespectsAge) {
  StackBounds b = StackAlloc(kDefaultStack, nullptr);
  Fill(b, 100);
  StackFree(b, nullptr);
  constexpr int64_t kHour = 3600ll * 1'000'000'000;
  EXPECT_EQ(StackScavenge(kAll, kHour), 0);
  EXPECT_EQ(StackScavenge(kAll, kHour), 0);
  EXPECT_GT(StackScavengeDebt(), 0);
  // The first call with a short age only notes who is free, unless one did so long enough ago.
  int64_t done = 0;
  for (int i = 0; i < 1000 && done == 0; ++i) done = StackScavenge(kAll, 1);
  EXPECT_EQ(done, static_cast<int64_t>(kDefaultStack));
}

TEST_F(StackTest, AMillionGuardedStacks) {
  if (!MemGuardWorks()) GTEST_SKIP() << "this kernel has no guard markers";
  constexpr int kStacks = GORT_ASAN || GORT_TSAN ? 10'000 : 1'000'000;
  std::vector<StackBounds> all(kStacks);
  int before = Mappings();
  int64_t guards = ReadStackStats().guards_kernel;
  for (StackBounds& b : all) {
    b = StackAlloc(kDefaultStack, nullptr);
    ASSERT_NE(b.lo, 0u);
  }
  EXPECT_GE(ReadStackStats().guards_kernel - guards, kStacks - 16);
  EXPECT_EQ(ReadStackStats().guards_canary, before_.guards_canary);
  EXPECT_LT(Mappings() - before, 1000);
  for (int i = 0; i < kStacks; i += kStacks / 100) {
    EXPECT_FALSE(MemReadable(reinterpret_cast<char*>(all[static_cast<size_t>(i)].lo - 1)));
  }
  for (const StackBounds& b : all) StackFree(b, nullptr);
  StackScavenge(kAll, 0);
  EXPECT_LT(Mappings() - before, 1000);
}

TEST_F(StackTest, ManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 2000;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      StackCache* cache = t % 2 == 0 ? AllocStackCache() : nullptr;
      std::vector<StackBounds> mine;
      unsigned seed = static_cast<unsigned>(t) + 1;
      for (int i = 0; i < kRounds; ++i) {
        seed = seed * 1664525 + 1013904223;
        size_t bytes = size_t{2048} << (seed >> 28) % 10;
        StackBounds b = StackAlloc(bytes, cache);
        *reinterpret_cast<uintptr_t*>(b.hi - 8) = b.lo;
        mine.push_back(b);
        if (mine.size() < 50) continue;
        size_t victim = (seed >> 8) % mine.size();
        EXPECT_EQ(*reinterpret_cast<uintptr_t*>(mine[victim].hi - 8), mine[victim].lo);
        StackFree(mine[victim], cache);
        mine[victim] = mine.back();
        mine.pop_back();
      }
      for (const StackBounds& b : mine) StackFree(b, cache);
      if (cache != nullptr) StackCacheFlush(cache);
    });
  }
  std::thread scavenger([&stop] {
    while (!stop.load()) StackScavenge(1 << 20, 0);
  });
  for (std::thread& t : threads) t.join();
  stop.store(true);
  scavenger.join();
}

}  // namespace
}  // namespace gort::rt
