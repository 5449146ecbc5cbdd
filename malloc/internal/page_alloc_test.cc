#include "gort/malloc/internal/page_alloc.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "gort/malloc/internal/page_map.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

// Never destroyed and never touched as memory: page numbers are all that PageAlloc looks at.
PageMap* NewMap() { return new (PersistentAlloc(sizeof(PageMap), 4096)) PageMap; }

constexpr PageId kBase = 5 * kArenaPages;

class PageAllocTest : public testing::Test {
 protected:
  PageMap* map_ = NewMap();
  PageAlloc pages_{map_};
};

TEST_F(PageAllocTest, EmptyHasNothing) {
  EXPECT_EQ(pages_.Alloc(1, 1), nullptr);
  EXPECT_EQ(pages_.TakeResident(1), nullptr);
  EXPECT_EQ(pages_.Check(), 0u);
}

TEST_F(PageAllocTest, TakesTheShortestSpanThatFitsThenTheOneFreedLast) {
  pages_.Grow(kBase, 100);
  std::vector<MSpan*> s;
  for (size_t n : {10, 1, 4, 1, 7, 1, 4, 1}) s.push_back(pages_.Alloc(n, 1));
  PageId low = s[2]->first_page();
  PageId high = s[6]->first_page();
  EXPECT_LT(low, high);
  for (int i : {0, 2, 6, 4}) pages_.Free(s[i]);
  pages_.Check();
  EXPECT_EQ(pages_.Alloc(3, 1)->first_page(), high);
  EXPECT_EQ(pages_.Alloc(4, 1)->first_page(), low);
  EXPECT_EQ(pages_.Alloc(8, 1)->first_page(), kBase);
  pages_.Check();
}

TEST_F(PageAllocTest, TakesTheLowestAddressAmongLongSpansOfOneLength) {
  constexpr size_t kLong = SpanLists::kMostPages + 1;
  pages_.Grow(kBase, 3 * kLong);
  std::vector<MSpan*> s;
  for (size_t n : {kLong, size_t{1}, kLong, size_t{1}}) s.push_back(pages_.Alloc(n, 1));
  pages_.Free(s[0]);
  pages_.Free(s[2]);
  EXPECT_EQ(pages_.Check(), 3u);
  EXPECT_EQ(pages_.Alloc(kLong, 1)->first_page(), kBase);
}

TEST_F(PageAllocTest, TakesWhatHasMemoryBeforeWhatHasNone) {
  pages_.Grow(kBase, 6);
  MSpan* warm = pages_.Alloc(2, 1);
  pages_.Alloc(1, 1);
  MSpan* cold = pages_.Alloc(2, 1);
  pages_.Alloc(1, 1);
  const PageId want = warm->first_page();
  pages_.Free(cold);
  MSpan* released = pages_.TakeResident(2);
  pages_.Free(warm);
  pages_.PutBack(released, true);  // the last to come, and without memory
  EXPECT_EQ(pages_.Alloc(2, 1)->first_page(), want);
  EXPECT_FALSE(pages_.Alloc(2, 1)->needs_zero);
  pages_.Check();
}

TEST_F(PageAllocTest, JoinsNeighboursOnBothSides) {
  pages_.Grow(kBase, 30);
  MSpan* a = pages_.Alloc(10, 1);
  MSpan* b = pages_.Alloc(10, 1);
  MSpan* c = pages_.Alloc(10, 1);
  pages_.Free(a);
  pages_.Free(c);
  EXPECT_EQ(pages_.Check(), 2u);
  pages_.Free(b);
  EXPECT_EQ(pages_.Check(), 1u);
  EXPECT_EQ(pages_.Alloc(30, 1)->first_page(), kBase);
}

TEST_F(PageAllocTest, JoinsAcrossArenas) {
  pages_.Grow(kBase + kArenaPages, kArenaPages);
  pages_.Grow(kBase, kArenaPages);
  EXPECT_EQ(pages_.Check(), 1u);
  MSpan* s = pages_.Alloc(2 * kArenaPages, 1);
  ASSERT_NE(s, nullptr);
  EXPECT_FALSE(s->needs_zero);
  pages_.Free(s);
  pages_.Check();
}

TEST_F(PageAllocTest, Aligns) {
  pages_.Grow(kBase + 1, 200);
  for (size_t align : {2, 8, 64}) {
    MSpan* s = pages_.Alloc(3, align);
    ASSERT_NE(s, nullptr);
    EXPECT_EQ(s->first_page() % align, 0u);
    pages_.Check();
  }
  EXPECT_EQ(pages_.Alloc(1, 4096), nullptr);
}

TEST_F(PageAllocTest, CountsWhatHasMemory) {
  pages_.Grow(kBase, 64);
  EXPECT_EQ(pages_.released_pages(), 64u);
  MSpan* a = pages_.Alloc(16, 1);
  EXPECT_FALSE(a->needs_zero);
  EXPECT_EQ(pages_.released_pages(), 48u);
  pages_.Free(a);
  EXPECT_EQ(pages_.released_pages(), 48u);
  MSpan* r = pages_.TakeResident(10);
  ASSERT_NE(r, nullptr);
  EXPECT_EQ(r->n_pages, 10u);
  EXPECT_EQ(r->first_page(), kBase + 6);  // highest first
  pages_.PutBack(r, true);
  EXPECT_EQ(pages_.released_pages(), 58u);
  EXPECT_EQ(pages_.Check(), 1u);
  MSpan* b = pages_.Alloc(16, 1);
  EXPECT_TRUE(b->needs_zero);
}

TEST_F(PageAllocTest, WhatTheOsDidNotTakeKeepsItsContents) {
  pages_.Grow(kBase, 64);
  pages_.Free(pages_.Alloc(16, 1));
  MSpan* r = pages_.TakeResident(16);
  ASSERT_NE(r, nullptr);
  EXPECT_FALSE(r->in_use());  // a wrong free in the meantime shows
  pages_.PutBack(r, false);
  EXPECT_EQ(pages_.released_pages(), 48u);
  EXPECT_EQ(pages_.Check(), 1u);
  EXPECT_TRUE(pages_.Alloc(16, 1)->needs_zero);
}

TEST_F(PageAllocTest, LongOsPagesAreReleasedWhole) {
  pages_.set_physical_pages(8);
  pages_.Grow(kBase, 64);
  MSpan* a = pages_.Alloc(3, 1);
  EXPECT_EQ(pages_.released_pages(), 56u);  // 3 pages touched, 5 more share their OS page
  MSpan* b = pages_.Alloc(5, 1);
  pages_.Free(a);
  pages_.Check();
  EXPECT_EQ(pages_.TakeResident(100), nullptr);  // b still sits in the OS page
  pages_.Free(b);
  MSpan* r = pages_.TakeResident(1);
  ASSERT_NE(r, nullptr);
  EXPECT_EQ(r->n_pages, 8u);
  pages_.PutBack(r, true);
  EXPECT_EQ(pages_.released_pages(), 64u);
  pages_.Check();
}

TEST(PageMapTest, KnowsTheClassesOfPagesNearTheFirstAndFarFromIt) {
  constexpr PageId kFar = size_t{100} << (30 - kHeapPageShift);  // 100 GiB
  PageMap* map = NewMap();
  const PageId first = 8 * kFar + 3;
  const PageId pages[] = {first, first - kFar, first + kFar, first + 1};
  for (const PageId p : pages) EXPECT_EQ(map->SpanClass(PageAddress(p)), 0);
  for (const PageId p : pages) ASSERT_TRUE(map->AddArenas(p, 1));
  int span_class = 0;
  for (const PageId p : pages) map->SetClasses(p, 1, ++span_class);
  span_class = 0;
  for (const PageId p : pages) EXPECT_EQ(map->SpanClass(PageAddress(p) + 77), ++span_class);
  EXPECT_EQ(map->NearClass(PageAddress(first)), 1);
  EXPECT_LT(map->NearClass(PageAddress(first + kFar)), 0);
  map->SetClasses(first + kFar, 1, 0);
  EXPECT_EQ(map->SpanClass(PageAddress(first + kFar)), 0);
  EXPECT_EQ(map->SpanClass(~uintptr_t{0}), 0);
}

// The same operations on a plain array of pages.
class Model {
 public:
  static constexpr size_t kPages = 3 * kArenaPages / 16;

  // Free pages from page i on.
  size_t RunAt(size_t i) const {
    size_t len = 0;
    while (i + len < kPages && used_[i + len] == 0) ++len;
    return len;
  }
  // Pages of the shortest free run with room for n; 0: none.
  size_t BestFit(size_t n) const {
    size_t best = 0;
    for (size_t i = 0; i < kPages;) {
      const size_t len = RunAt(i);
      if (len >= n && (best == 0 || len < best)) best = len;
      i += std::max<size_t>(len, 1);
    }
    return best;
  }
  bool BeginsRun(size_t i) const { return i == 0 || used_[i - 1] != 0; }
  void Mark(size_t first, size_t n, char used) {
    std::fill_n(used_.begin() + static_cast<ptrdiff_t>(first), n, used);
  }
  bool AllAre(size_t first, size_t n, char used) const {
    return std::all_of(used_.begin() + static_cast<ptrdiff_t>(first),
                       used_.begin() + static_cast<ptrdiff_t>(first + n),
                       [used](char c) { return c == used; });
  }
  size_t FreePages() const {
    return static_cast<size_t>(std::count(used_.begin(), used_.end(), 0));
  }

 private:
  std::vector<char> used_ = std::vector<char>(kPages, 0);
};

void RandomAgainstModel(size_t physical, uint64_t seed, int steps) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << " physical " << physical);
  std::mt19937_64 rng(seed);
  PageMap* map = NewMap();
  PageAlloc pages(map);
  pages.set_physical_pages(physical);
  pages.Grow(kBase, Model::kPages);
  Model model;
  std::vector<MSpan*> live;
  for (int step = 0; step < steps; ++step) {
    uint64_t what = rng() % 16;
    if (what < 8) {
      size_t n = 1 + (rng() % (rng() % 4 == 0 ? 300 : 12));
      size_t align = rng() % 4 == 0 ? size_t{1} << rng() % 6 : 1;
      size_t want = model.BestFit(n);
      MSpan* s = pages.Alloc(n, align);
      if (s == nullptr) {
        ASSERT_TRUE(want == 0 || align > 1);
        continue;
      }
      size_t first = s->first_page() - kBase;
      ASSERT_EQ(s->n_pages, n);
      ASSERT_EQ(s->first_page() % align, 0u);
      if (align == 1) {
        ASSERT_TRUE(model.BeginsRun(first));
        ASSERT_EQ(model.RunAt(first), want);
      }
      ASSERT_TRUE(model.AllAre(first, n, 0));
      ASSERT_EQ(map->CountReleased(s->first_page(), n), 0u);
      model.Mark(first, n, 1);
      live.push_back(s);
    } else if (what < 15 && !live.empty()) {
      std::swap(live[rng() % live.size()], live.back());
      MSpan* s = live.back();
      live.pop_back();
      model.Mark(s->first_page() - kBase, s->n_pages, 0);
      pages.Free(s);
    } else {
      size_t before = pages.released_pages();
      MSpan* s = pages.TakeResident(1 + rng() % 64);
      if (s == nullptr) continue;
      ASSERT_TRUE(model.AllAre(s->first_page() - kBase, s->n_pages, 0));
      ASSERT_EQ(s->first_page() % physical, 0u);
      ASSERT_EQ(s->n_pages % physical, 0u);
      size_t n = s->n_pages;
      pages.PutBack(s, true);
      ASSERT_EQ(pages.released_pages(), before + n);
    }
    ASSERT_EQ(pages.free_pages(), model.FreePages());
    pages.Check();
  }
  for (MSpan* s : live) pages.Free(s);
  EXPECT_EQ(pages.Check(), 1u);
  while (MSpan* s = pages.TakeResident(1 << 20)) pages.PutBack(s, true);
  EXPECT_EQ(pages.released_pages(), Model::kPages);
  EXPECT_EQ(pages.inuse_pages(), 0u);
}

TEST(PageAllocPropertyTest, AgreesWithAnArrayOfPages) {
  const char* env = std::getenv("GORT_TEST_SEED");
  uint64_t seed = env != nullptr ? std::strtoull(env, nullptr, 10) : std::random_device{}();
  printf("GORT_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  for (size_t physical : {1, 2, 8}) RandomAgainstModel(physical, seed, 4000);
  RandomAgainstModel(1, 42, 4000);
}

}  // namespace
}  // namespace gort::rt
