#include "gort/timer/internal/timer_heap.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "gort/base/rand.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

// The heap never dereferences a timer, so a number serves.
Timer* Id(uintptr_t n) { return reinterpret_cast<Timer*>(n); }

struct TestHeap : WhenHeap {
  ~TestHeap() { Free(); }
};

TEST(WhenHeap, StartsEmptyWithoutMemory) {
  TestHeap h;
  EXPECT_TRUE(h.empty());
  EXPECT_EQ(h.capacity(), 0);
  EXPECT_TRUE(h.Valid());
  h.Shrink();
  EXPECT_EQ(h.capacity(), 0);
}

TEST(WhenHeap, PopsInOrderWithExtremeKeys) {
  TestHeap h;
  const int64_t keys[] = {5, std::numeric_limits<int64_t>::max(), 1, 5, 0, 7,
                          3, std::numeric_limits<int64_t>::max()};
  for (int64_t k : keys) h.Push(k, Id(static_cast<uintptr_t>(k)));
  std::vector<int64_t> sorted(std::begin(keys), std::end(keys));
  std::sort(sorted.begin(), sorted.end());
  for (int64_t k : sorted) {
    ASSERT_EQ(h.top().when, k);
    EXPECT_EQ(h.top().timer, Id(static_cast<uintptr_t>(k)));
    h.PopTop();
  }
  EXPECT_TRUE(h.empty());
}

TEST(WhenHeap, RebuildOrdersAnyArray) {
  for (size_t n : {0, 1, 2, 4, 5, 6, 21, 22, 1000}) {
    TestHeap h;
    FastRand rand(n + 1);
    for (size_t i = 0; i < n; ++i) h.Append(rand.N(100), Id(i));
    h.Rebuild(n);
    EXPECT_TRUE(h.Valid()) << n;
    EXPECT_EQ(h.size(), n);
  }
}

TEST(WhenHeap, ShrinkGivesMemoryBackAndKeepsEntries) {
  TestHeap h;
  for (int64_t i = 0; i < 100'000; ++i) h.Push(i, Id(static_cast<uintptr_t>(i)));
  const size_t full = h.capacity();
  EXPECT_GE(full, 100'000);
  h.Rebuild(10);
  h.Shrink();
  EXPECT_LT(h.capacity(), full / 2);
  for (int64_t i = 0; i < 10; ++i) {
    ASSERT_EQ(h.top().when, i);
    h.PopTop();
  }
}

TEST(WhenHeap, TakeAllMovesEverything) {
  TestHeap a, b;
  for (int64_t i = 0; i < 1000; ++i) a.Push(1000 - i, Id(1));
  b.TakeAll(&a);
  EXPECT_TRUE(a.empty());
  EXPECT_EQ(b.size(), 1000);
  EXPECT_TRUE(b.Valid());
  a.Push(1, Id(2));
  EXPECT_EQ(a.top().timer, Id(2));
}

// Random operations against a multimap. Every entry has its own id, so that losing one or
// returning one twice shows.
class AgainstModel : public testing::TestWithParam<uint64_t> {};

TEST_P(AgainstModel, SameMinimum) {
  FastRand rand(GetParam());
  TestHeap h;
  std::multimap<int64_t, uintptr_t> model;
  uintptr_t next_id = 1;
  // Few distinct keys on odd seeds: many ties.
  const uint32_t range = GetParam() % 2 == 1 ? 8 : 1'000'000;
  auto erase_top = [&] {
    auto [lo, hi] = model.equal_range(h.top().when);
    auto it = std::find_if(lo, hi, [&](const auto& m) { return Id(m.second) == h.top().timer; });
    ASSERT_NE(it, hi);
    model.erase(it);
  };
  for (int step = 0; step < 20'000; ++step) {
    const uint32_t op = rand.N(100);
    const int64_t when = rand.N(range);
    if (op < 55 || h.empty()) {
      h.Push(when, Id(next_id));
      model.emplace(when, next_id++);
    } else if (op < 85) {
      erase_top();
      h.PopTop();
    } else if (op < 99) {
      uintptr_t id = reinterpret_cast<uintptr_t>(h.top().timer);
      erase_top();
      model.emplace(when, id);
      h.RekeyTop(when);
    } else {  // drop a random third of all
      size_t kept = 0;
      for (size_t i = 0; i < h.size(); ++i) {
        WhenHeap::Entry e = h.entries()[i];
        if (rand.N(3) != 0) {
          h.entries()[kept++] = e;
          continue;
        }
        auto [lo, hi] = model.equal_range(e.when);
        model.erase(std::find_if(lo, hi, [&](const auto& m) { return Id(m.second) == e.timer; }));
      }
      h.Rebuild(kept);
      h.Shrink();
    }
    ASSERT_EQ(h.size(), model.size());
    if (!h.empty()) {
      ASSERT_EQ(h.top().when, model.begin()->first) << "step " << step;
    }
    if (step % 512 == 0) {
      ASSERT_TRUE(h.Valid());
    }
  }
  while (!h.empty()) {
    ASSERT_EQ(h.top().when, model.begin()->first);
    erase_top();
    h.PopTop();
  }
  EXPECT_TRUE(model.empty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, AgainstModel, testing::Range<uint64_t>(1, 13));

}  // namespace
}  // namespace gort::rt
