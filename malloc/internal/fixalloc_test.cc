#include "gort/malloc/internal/fixalloc.h"

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

bool AllZero(const void* p, size_t n) {
  const char* c = static_cast<const char*>(p);
  for (size_t i = 0; i < n; ++i) {
    if (c[i] != 0) return false;
  }
  return true;
}

TEST(PersistentAllocTest, IsZeroedAlignedAndCounted) {
  uint64_t before = PersistentAllocated();
  for (size_t align : {size_t{1}, size_t{8}, size_t{64}, size_t{4096}}) {
    for (size_t bytes : {size_t{1}, size_t{100}, size_t{70'000}, size_t{300'000}}) {
      void* p = PersistentAlloc(bytes, align);
      ASSERT_NE(p, nullptr);
      EXPECT_TRUE(IsAligned(reinterpret_cast<uintptr_t>(p), align));
      EXPECT_TRUE(AllZero(p, bytes));
      memset(p, 0xff, bytes);
    }
  }
  EXPECT_GE(PersistentAllocated() - before, 4 * (1 + 100 + 70'000 + 300'000));
}

TEST(PersistentAllocTest, ZeroAlignMeansAPointer) {
  PersistentAlloc(3, 1);
  EXPECT_TRUE(IsAligned(reinterpret_cast<uintptr_t>(PersistentAlloc(5, 0)), alignof(void*)));
}

TEST(PersistentAllocTest, ThreadsGetDisjointMemory) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  std::vector<std::vector<uint64_t*>> got(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&got, t] {
      for (int i = 0; i < kEach; ++i) {
        auto* p = static_cast<uint64_t*>(PersistentAlloc(24, 8));
        p[0] = p[1] = p[2] = static_cast<uint64_t>(t) << 32 | static_cast<uint64_t>(i);
        got[t].push_back(p);
      }
    });
  }
  for (auto& t : threads) t.join();
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kEach; ++i) {
      uint64_t want = static_cast<uint64_t>(t) << 32 | static_cast<uint64_t>(i);
      for (int k = 0; k < 3; ++k) ASSERT_EQ(got[t][i][k], want);
    }
  }
}

TEST(PersistentAllocDeathTest, BadAlignment) {
  testing::FLAGS_gtest_death_test_style = "fast";  // no threads here; exec fails under qemu
  EXPECT_EXIT(PersistentAlloc(8, 24), testing::ExitedWithCode(2), "persistentalloc: bad alignment");
}

TEST(FixAllocTest, ReusesTheLastFreedObject) {
  FixAlloc f(40);
  void* a = f.Alloc();
  void* b = f.Alloc();
  EXPECT_NE(a, b);
  EXPECT_EQ(f.inuse_bytes(), 80u);
  f.Free(a);
  EXPECT_EQ(f.inuse_bytes(), 40u);
  EXPECT_EQ(f.Alloc(), a);
}

TEST(FixAllocTest, ClearsWhatItHandsOutAgain) {
  FixAlloc f(64);
  void* a = f.Alloc();
  EXPECT_TRUE(AllZero(a, 64));
  memset(a, 0xff, 64);
  f.Free(a);
  EXPECT_EQ(f.Alloc(), a);
  EXPECT_TRUE(AllZero(a, 64));
}

TEST(FixAllocTest, WithoutZeroKeepsAllButTheFirstPointer) {
  if (kDebug) GTEST_SKIP() << "debug builds overwrite freed objects";
  FixAlloc f(64, 8, false);
  char* a = static_cast<char*>(f.Alloc());
  memset(a, 0x5a, 64);
  f.Free(a);
  EXPECT_EQ(f.Alloc(), a);
  for (size_t i = sizeof(void*); i < 64; ++i) EXPECT_EQ(a[i], 0x5a);
}

TEST(FixAllocTest, HonoursAlignmentAndLargeObjects) {
  FixAlloc small(1, 64);
  FixAlloc large(100'000, 4096);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(IsAligned(reinterpret_cast<uintptr_t>(small.Alloc()), 64));
  }
  EXPECT_TRUE(IsAligned(reinterpret_cast<uintptr_t>(large.Alloc()), 4096));
}

TEST(FixAllocTest, TypedConstructsAndDestroys) {
  static int live = 0;
  struct Thing {
    explicit Thing(int v) : value(v) { ++live; }
    ~Thing() { --live; }
    int value;
    alignas(64) char line[64];
  };
  TypedFixAlloc<Thing> f;
  std::set<Thing*> all;
  for (int i = 0; i < 500; ++i) {
    Thing* t = f.Alloc(i);
    EXPECT_EQ(t->value, i);
    EXPECT_TRUE(all.insert(t).second);
  }
  EXPECT_EQ(live, 500);
  for (Thing* t : all) f.Free(t);
  EXPECT_EQ(live, 0);
  EXPECT_EQ(f.raw().inuse_bytes(), 0u);
}

TEST(FixAllocDeathTest, DoubleFree) {
  if (!kDebug) GTEST_SKIP() << "checked in debug builds";
  testing::FLAGS_gtest_death_test_style = "fast";  // no threads here; exec fails under qemu
  FixAlloc f(32);
  void* a = f.Alloc();
  f.Free(a);
  EXPECT_EXIT(f.Free(a), testing::ExitedWithCode(2), "fixalloc: double free");
}

}  // namespace
}  // namespace gort::rt
