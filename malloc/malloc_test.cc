#include "gort/malloc/malloc.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <new>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/tests/support/child.h"
#include "gort/tests/support/process.h"
#include "gort/tests/support/sandbox.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

bool IsAlignedTo(const void* p, size_t align) {
  return reinterpret_cast<uintptr_t>(p) % align == 0;
}

TEST(MallocTest, EverySmallSizeIsAlignedUsableAndItsOwn) {
  std::vector<std::pair<unsigned char*, size_t>> all;
  for (size_t n = 0; n <= 40'000; n += n < 2000 ? 1 : 97) {
    auto* p = static_cast<unsigned char*>(malloc::Alloc(n));
    ASSERT_NE(p, nullptr);
    ASSERT_TRUE(IsAlignedTo(p, n > 8 ? 16 : n > 4 ? 8 : 4)) << n;
    ASSERT_GE(malloc::UsableSize(p), n == 0 ? 1 : n);
    memset(p, static_cast<int>(n % 251), malloc::UsableSize(p));
    all.emplace_back(p, n);
  }
  for (auto& [p, n] : all) {
    for (size_t i = 0; i < malloc::UsableSize(p); ++i) ASSERT_EQ(p[i], n % 251) << n;
    malloc::Free(p);
  }
}

TEST(MallocTest, ZeroBytesAreABlockWithAnAddress) {
  std::set<void*> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(malloc::Alloc(0)).second);
  for (void* p : seen) malloc::Free(p);
}

TEST(MallocTest, FreeOfNullDoesNothing) {
  malloc::Free(nullptr);
  EXPECT_EQ(malloc::UsableSize(nullptr), 0u);
}

TEST(MallocTest, ReallocKeepsWhatFits) {
  for (size_t from : {1, 4, 8, 100, 5000, 40'000, 1'000'000}) {
    for (size_t to : {0, 1, 4, 8, 30, 100, 5000, 33'000, 40'001, 2'000'000}) {
      auto* p = static_cast<unsigned char*>(malloc::Alloc(from));
      for (size_t i = 0; i < from; ++i) p[i] = static_cast<unsigned char>(i * 7);
      p = static_cast<unsigned char*>(malloc::Realloc(p, to));
      ASSERT_NE(p, nullptr);
      ASSERT_GE(malloc::UsableSize(p), to);
      ASSERT_TRUE(IsAlignedTo(p, to > 8 ? 16 : to > 4 ? 8 : 4)) << from << " to " << to;
      for (size_t i = 0; i < std::min(from, to); ++i) {
        ASSERT_EQ(p[i], static_cast<unsigned char>(i * 7)) << from << " to " << to;
      }
      malloc::FreeSized(p, to);
    }
  }
}

TEST(MallocTest, ReallocOfNullIsAlloc) {
  void* p = malloc::Realloc(nullptr, 100'000);
  ASSERT_NE(p, nullptr);
  EXPECT_LT(malloc::UsableSize(p), 110'000u);  // nothing grows yet
  malloc::Free(p);
  malloc::FreeSized(nullptr, 5);
}

TEST(MallocTest, ABufferThatGrowsMovesSeldom) {
  void* p = nullptr;
  int moves = 0;
  for (size_t n = 4096; n <= size_t{16} << 20; n += 4096) {
    void* q = malloc::Realloc(p, n);
    ASSERT_NE(q, nullptr);
    moves += q != p;
    p = q;
  }
  EXPECT_LE(moves, 40);  // 16 MiB are 28 quarters above 32 KiB
  // What shrinks gives back.
  p = malloc::Realloc(p, 100'000);
  EXPECT_LT(malloc::UsableSize(p), 200'000u);
  malloc::Free(p);
}

TEST(MallocTest, ReallocThatFailsLeavesTheBlockAlone) {
  auto* p = static_cast<char*>(malloc::Alloc(1000));
  memset(p, 'x', 1000);
  for (size_t n : {SIZE_MAX, SIZE_MAX - SIZE_MAX / 5, size_t{1} << 60}) {
    EXPECT_EQ(malloc::Realloc(p, n), nullptr) << n;
  }
  EXPECT_EQ(p[999], 'x');
  malloc::Free(p);
}

TEST(MallocTest, ImpossibleSizesAreNull) {
  for (size_t n : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX - 8191, size_t{1} << 60}) {
    EXPECT_EQ(malloc::Alloc(n), nullptr) << n;
    EXPECT_EQ(malloc::AllocAligned(64, n), nullptr) << n;
    EXPECT_EQ(malloc::AllocAligned(size_t{1} << 30, n), nullptr) << n;
  }
  EXPECT_EQ(malloc::AllocZeroed(SIZE_MAX / 2, 3), nullptr);
  EXPECT_EQ(malloc::AllocAligned(size_t{1} << 63, 1), nullptr);
  void* p = malloc::Alloc(100);  // and life goes on
  EXPECT_NE(p, nullptr);
  malloc::Free(p);
}

TEST(MallocTest, AlignsToAnyPowerOfTwo) {
  for (size_t align = 1; align <= size_t{1} << 30; align *= 2) {
    for (size_t n : {size_t{0}, size_t{1}, size_t{24}, size_t{100}, size_t{5000}, size_t{70'000}}) {
      void* a = malloc::AllocAligned(align, n);
      void* b = malloc::AllocAligned(align, n);
      ASSERT_NE(a, nullptr);
      ASSERT_NE(a, b);
      ASSERT_TRUE(IsAlignedTo(a, align) && IsAlignedTo(b, align)) << align << ' ' << n;
      ASSERT_GE(malloc::UsableSize(a), n);
      memset(a, 1, n);
      memset(b, 2, n);
      malloc::Free(a);
      malloc::Free(b);
    }
  }
}

TEST(MallocTest, LargeObjects) {
  for (size_t n : {size_t{32'769}, size_t{1} << 20, (size_t{70} << 20) + 1, size_t{300} << 20}) {
    char* p = static_cast<char*>(malloc::Alloc(n));
    ASSERT_NE(p, nullptr);
    EXPECT_GE(malloc::UsableSize(p), n);
    EXPECT_LT(malloc::UsableSize(p), n + 8192);
    p[0] = p[n / 2] = p[n - 1] = 1;
    malloc::Free(p);
  }
}

TEST(MallocTest, ZeroedIsZeroAlsoWhenUsedBefore) {
  for (size_t n : {size_t{3}, size_t{100}, size_t{30'000}, size_t{200'000}, size_t{9} << 20}) {
    void* dirty = malloc::Alloc(n);
    memset(dirty, 0xff, n);
    malloc::Free(dirty);
    for (int round = 0; round < 2; ++round) {
      auto* p = static_cast<unsigned char*>(malloc::AllocZeroed(n, 1));
      for (size_t i = 0; i < n; ++i) ASSERT_EQ(p[i], 0) << n << ' ' << i;
      malloc::Free(p);
      malloc::ReleaseFreeMemory();
    }
  }
}

TEST(MallocTest, TinyObjectsShareBlocks) {
  constexpr int kCount = 15'000;
  std::vector<char*> all;
  malloc::Stats before = malloc::ReadStats();
  for (int i = 0; i < kCount; ++i) {
    auto* p = static_cast<char*>(malloc::Alloc(static_cast<size_t>(1 + i % 4)));
    EXPECT_GE(malloc::UsableSize(p), 4u);
    memset(p, i % 127, 4);
    all.push_back(p);
  }
  malloc::Stats after = malloc::ReadStats();
  EXPECT_LT(after.in_use - before.in_use, 5u * kCount);
  for (int i = 0; i < kCount; ++i) {
    for (int k = 0; k < 4; ++k) ASSERT_EQ(all[static_cast<size_t>(i)][k], i % 127);
    malloc::Free(all[static_cast<size_t>(i)]);
  }
  EXPECT_LT(malloc::ReadStats().in_use, before.in_use + 1000);
}

TEST(MallocTest, StatsFollowTheProgram) {
  malloc::Stats a = malloc::ReadStats();
  std::vector<void*> all;
  for (int i = 0; i < 1000; ++i) all.push_back(malloc::Alloc(1000));
  void* large = malloc::Alloc(10 << 20);
  malloc::Stats b = malloc::ReadStats();
  EXPECT_GE(b.in_use - a.in_use, 1'000'000u + (10u << 20));
  EXPECT_EQ(b.in_use_objects - a.in_use_objects, 1001u);
  EXPECT_GE(b.heap_in_use, b.in_use);
  EXPECT_EQ(b.heap_sys, b.heap_in_use + b.heap_idle);
  EXPECT_LE(b.heap_sys, b.heap_reserved);
  EXPECT_LE(b.heap_released, b.heap_idle);
  EXPECT_GT(b.metadata, 0u);
  for (void* p : all) malloc::Free(p);
  malloc::Free(large);
  malloc::Stats c = malloc::ReadStats();
  EXPECT_EQ(c.in_use, a.in_use);
  EXPECT_EQ(c.in_use_objects, a.in_use_objects);
}

TEST(MallocTest, ReleaseReturnsMemory) {
  constexpr size_t kBytes = size_t{24} << 20;
  char* p = static_cast<char*>(malloc::Alloc(kBytes));
  memset(p, 1, kBytes);
  malloc::Free(p);
  EXPECT_GE(malloc::ReleaseFreeMemory(), kBytes);
  malloc::Stats s = malloc::ReadStats();
  EXPECT_EQ(s.heap_released, s.heap_idle);
  EXPECT_EQ(malloc::ReleaseFreeMemory(), 0u);
}

TEST(MallocTest, ABurstIsReleasedInPassing) {
  std::vector<void*> all;
  for (int i = 0; i < 100'000; ++i) {
    all.push_back(malloc::Alloc(1024));
    memset(all.back(), 1, 1024);
  }
  for (void* p : all) malloc::Free(p);
  malloc::Stats s = malloc::ReadStats();
  EXPECT_LT(s.heap_idle - s.heap_released, size_t{64} << 20);
  EXPECT_GT(s.scavenged, size_t{32} << 20);
}

TEST(PmrTest, ContainersWork) {
  std::pmr::vector<std::pmr::string> v(malloc::Resource());
  for (int i = 0; i < 1000; ++i) v.emplace_back("a string that is not short, number ").append("x");
  EXPECT_TRUE(malloc::Resource()->is_equal(*malloc::Resource()));
  EXPECT_FALSE(malloc::Resource()->is_equal(*std::pmr::new_delete_resource()));
  void* p = malloc::Resource()->allocate(100, 4096);
  EXPECT_TRUE(IsAlignedTo(p, 4096));
  malloc::Resource()->deallocate(p, 100, 4096);
  EXPECT_THROW((void)malloc::Resource()->allocate(SIZE_MAX / 2, 16), std::bad_alloc);
}

TEST(AllocatorTest, ContainersWork) {
  struct alignas(128) Wide {
    int v = 0;
  };
  std::vector<Wide, malloc::Allocator<Wide>> wide(100);
  EXPECT_TRUE(IsAlignedTo(wide.data(), 128));
  std::map<int, int, std::less<int>, malloc::Allocator<std::pair<const int, int>>> m;
  std::list<int, malloc::Allocator<int>> l;
  for (int i = 0; i < 1000; ++i) {
    m[i] = i;
    l.push_back(i);
  }
  EXPECT_EQ(m.size(), 1000u);
  EXPECT_TRUE(malloc::Allocator<int>() == malloc::Allocator<char>());
  EXPECT_THROW((void)malloc::Allocator<Wide>().allocate(SIZE_MAX / 2), std::bad_array_new_length);
  EXPECT_THROW((void)malloc::Allocator<char>().allocate(SIZE_MAX / 2), std::bad_alloc);
}

class MallocDeathTest : public ::testing::Test {
 protected:
  // The threads of other tests have ended, so a plain fork will do (and works under qemu-user).
  void SetUp() override { ::testing::FLAGS_gtest_death_test_style = "fast"; }
};

#define EXPECT_FATAL(statement, text) EXPECT_EXIT(statement, ::testing::ExitedWithCode(2), text)

TEST_F(MallocDeathTest, ForeignPointers) {
  int on_stack = 0;
  EXPECT_FATAL(malloc::Free(&on_stack), "fatal error: malloc: free of a pointer that is not .*0x");
  void* foreign = std::malloc(10);
  EXPECT_FATAL(malloc::Free(foreign), "fatal error: malloc: free of a pointer that is not .*0x");
  std::free(foreign);
  EXPECT_FATAL(malloc::Free(reinterpret_cast<void*>(UINTPTR_MAX - 7)), "not allocated: 0xfff");
  EXPECT_FATAL((void)malloc::UsableSize(&on_stack), "fatal error: malloc: size of a pointer");
}

TEST_F(MallocDeathTest, BadAlignment) {
  EXPECT_FATAL((void)malloc::AllocAligned(24, 100), "alignment is not a power of two: 0x18");
  EXPECT_FATAL((void)malloc::AllocAligned(0, 100), "alignment is not a power of two: 0x0");
}

TEST_F(MallocDeathTest, DoubleFreeOfTheLastOneFreed) {
  auto twice = [](size_t n) {
    void* p = malloc::Alloc(n);
    malloc::Free(p);
    malloc::Free(p);
  };
  EXPECT_FATAL(twice(100), "fatal error: malloc: double free: 0x");
  EXPECT_FATAL(twice(3), "fatal error: malloc: double free: 0x");
  EXPECT_FATAL(twice(1 << 20), "fatal error: malloc: free of a pointer that is not allocated: 0x");
}

TEST_F(MallocDeathTest, MiddleOfALargeObject) {
  char* p = static_cast<char*>(malloc::Alloc(100'000));
  // Only the ends of a large object are in the page map, so the text depends on the page.
  EXPECT_FATAL(malloc::Free(p + 16), "fatal error: malloc: free of a wrong pointer: 0x");
  EXPECT_FATAL(malloc::Free(p + 50'000), "fatal error: malloc: free of a .*: 0x");
  malloc::Free(p);
}

TEST_F(MallocDeathTest, DebugFindsEveryDoubleFree) {
  if (!rt::kDebug) GTEST_SKIP() << "checked in debug builds";
  auto later = [](size_t n) {
    void* a = malloc::Alloc(n);
    void* b = malloc::Alloc(n);
    malloc::Free(a);
    malloc::Free(b);
    malloc::Free(a);
  };
  EXPECT_FATAL(later(100), "fatal error: malloc: double free: 0x");
  EXPECT_FATAL(later(2), "fatal error: malloc: double free: 0x");
}

TEST_F(MallocDeathTest, DebugFindsPointersIntoObjects) {
  if (!rt::kDebug) GTEST_SKIP() << "checked in debug builds";
  char* p = static_cast<char*>(malloc::Alloc(100));
  EXPECT_FATAL(malloc::Free(p + 16), "fatal error: malloc: free of a wrong pointer: 0x");
  malloc::Free(p);
}

TEST_F(MallocDeathTest, DebugFindsWritesToFreedObjects) {
  if (!rt::kDebug) GTEST_SKIP() << "checked in debug builds";
  auto write = [](size_t offset) {
    char* p = static_cast<char*>(malloc::Alloc(100));
    malloc::Free(p);
    *static_cast<volatile char*>(p + offset) = 1;
    for (int i = 0; i < 1000; ++i) (void)malloc::Alloc(100);
  };
  EXPECT_FATAL(write(50), "fatal error: malloc: object was written to after its free: 0x");
  EXPECT_FATAL(write(1), "fatal error: malloc: corrupted free list: 0x");
}

TEST(ClassStatsTest, SayWhereTheObjectsOfASizeAre) {
  constexpr size_t kCount = 1000;
  const auto of_640 = [] {
    std::vector<malloc::ClassStats> all(malloc::kNumClasses);
    EXPECT_EQ(malloc::ReadClassStats(all.data(), all.size()), malloc::kNumClasses);
    EXPECT_TRUE(all.back().tiny);
    return *std::find_if(all.begin(), all.end(), [](auto& c) { return c.object_bytes == 640; });
  };
  const malloc::ClassStats before = of_640();
  std::vector<void*> blocks;
  for (size_t i = 0; i < kCount; ++i) blocks.push_back(malloc::Alloc(600));
  const malloc::ClassStats used = of_640();
  EXPECT_GE(used.in_use, before.in_use + kCount);
  EXPECT_GE(used.span_bytes, (used.in_use + used.cached + used.free) * 640);
  for (void* p : blocks) malloc::Free(p);
  malloc::ReleaseFreeMemory();
  const malloc::ClassStats after = of_640();
  EXPECT_LE(after.in_use, before.in_use);
  EXPECT_LT(after.spans, used.spans);
  malloc::ClassStats one;
  EXPECT_EQ(malloc::ReadClassStats(&one, 1), malloc::kNumClasses);
  EXPECT_EQ(one.object_bytes, 8u);
}

int64_t HadOfTheOs() {
  const malloc::Stats s = malloc::ReadStats();
  return static_cast<int64_t>(s.heap_in_use + s.heap_idle - s.heap_released + s.metadata);
}

// Waves of blocks of one kind after another: without a limit what is left of one wave is idle in the
// next.
TEST(MemoryLimitTest, FreeMemoryGoesBackBeforeMoreIsTaken) {
  malloc::ReleaseFreeMemory();
  const int64_t most = HadOfTheOs() + (int64_t{24} << 20);
  EXPECT_EQ(malloc::SetMemoryLimit(most), INT64_MAX);
  EXPECT_EQ(malloc::SetMemoryLimit(-1), most);
  for (const size_t bytes :
       {size_t{100}, size_t{5000}, size_t{3} << 20, size_t{300}, size_t{50'000}}) {
    std::vector<void*> blocks;
    blocks.reserve((size_t{16} << 20) / bytes);
    while (blocks.size() < blocks.capacity()) {
      blocks.push_back(memset(malloc::Alloc(bytes), 1, bytes));
    }
    EXPECT_LE(HadOfTheOs(), most) << bytes;
    for (void* p : blocks) malloc::Free(p);
  }
  // What is in use may be more.
  void* p = malloc::Alloc(static_cast<size_t>(most) * 2);
  EXPECT_NE(p, nullptr);
  malloc::Free(p);
  EXPECT_EQ(malloc::SetMemoryLimit(INT64_MAX), most);
}

TEST(MemoryLimitTest, TextIsANumberAndAUnit) {
  int64_t n = 0;
  EXPECT_TRUE(rt::ParseMemoryLimit("123", &n) && n == 123);
  EXPECT_TRUE(rt::ParseMemoryLimit("7B", &n) && n == 7);
  EXPECT_TRUE(rt::ParseMemoryLimit("2KiB", &n) && n == 2048);
  EXPECT_TRUE(rt::ParseMemoryLimit("512MiB", &n) && n == 512 << 20);
  EXPECT_TRUE(rt::ParseMemoryLimit("3TiB", &n) && n == int64_t{3} << 40);
  EXPECT_TRUE(rt::ParseMemoryLimit("off", &n) && n == INT64_MAX);
  for (const char* bad : {"", "x", "-1", "1MB", "1M", "1Mi", "1 MiB", "1MiBs",
                          "9223372036854775808", "9000000TiB", "1QiB"}) {
    EXPECT_FALSE(rt::ParseMemoryLimit(bad, &n)) << bad;
  }
}

// Takes blocks of one page until there are none, and gives every other one back: as many spans as can
// be, and records for them.
size_t ExhaustRecords(std::vector<void*>* kept) {
  std::vector<void*> all;
  all.reserve(20'000);
  while (all.size() < all.capacity()) {
    void* p = malloc::Alloc(40'000);
    if (p == nullptr) break;
    all.push_back(p);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (i % 2 == 0) {
      malloc::Free(all[i]);
    } else {
      kept->push_back(all[i]);
    }
  }
  // What is free between two blocks is cut, and each cut wants a record.
  while (kept->size() < kept->capacity()) {
    void* p = malloc::AllocAligned(16384, 8192);
    if (p == nullptr) break;
    kept->push_back(p);
  }
  return all.size();
}

void Require(bool ok, const char* what) {
  if (ok) return;
  fprintf(stderr, "wrong: %s\n", what);
  _exit(1);
}

void* UseThreadCache(void*) {
  for (size_t n = 1; n < 9000; n *= 3) {
    void* p = malloc::Alloc(n);
    if (p != nullptr) memset(p, 7, n);
    malloc::Free(p);
  }
  return nullptr;
}

// Under a limit of address space the allocator's records cannot grow either. What it cannot have it
// says, and what it has goes on working: also for a thread that comes then.
TEST(OutOfMemoryTest, RecordsThatCannotGrowMeanNull) {
  if (GORT_ASAN || GORT_TSAN) GTEST_SKIP() << "a sanitizer's own memory fails first";
  if (testing::Emulated()) GTEST_SKIP() << "no seccomp";
  const testing::ChildResult r = testing::RunInChild([] {
    std::vector<void*> kept;
    kept.reserve(200'000);
    alignas(4096) static char stack[256 << 10];
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, stack, sizeof stack);
    malloc::Free(malloc::Alloc(40'000));
    Require(testing::ForbidCall(SYS_mmap), "seccomp");
    Require(ExhaustRecords(&kept) > 100, "blocks there were room for");
    Require(malloc::Alloc(100 << 20) == nullptr, "a large block");
    Require(malloc::AllocAligned(8 << 20, 60 << 20) == nullptr, "an aligned block");
    try {
      for (int i = 0; i < 1000; ++i) kept.push_back(malloc::Allocator<char>().allocate(1 << 20));
      Require(false, "std::bad_alloc");
    } catch (const std::bad_alloc&) {
    }
    pthread_t thread;
    Require(pthread_create(&thread, &attr, &UseThreadCache, nullptr) == 0, "thread");
    pthread_join(thread, nullptr);
    for (void* p : kept) malloc::Free(p);
    malloc::ReleaseFreeMemory();
    void* p = malloc::Alloc(1 << 20);
    Require(p != nullptr, "what was given back is there again");
    malloc::Free(p);
  });
  EXPECT_EQ(r.status, 0) << r.output;
}

}  // namespace
}  // namespace gort
