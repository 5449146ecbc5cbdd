#include "gort/malloc/malloc.h"

#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <numeric>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

TEST(MallocAlone, AllocatesAndFrees) {
  void* p = gort::malloc::Alloc(100);
  ASSERT_NE(p, nullptr);
  EXPECT_GE(gort::malloc::UsableSize(p), 100u);
  std::memset(p, 1, 100);
  gort::malloc::Free(p);

  void* aligned = gort::malloc::AllocAligned(4096, 10);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(aligned) % 4096, 0u);
  gort::malloc::Free(aligned);
}

TEST(MallocAlone, FreedByAnotherThread) {
  std::vector<void*> all;
  for (int i = 0; i < 1000; ++i) all.push_back(gort::malloc::Alloc(static_cast<size_t>(i) + 1));
  std::thread([&] {
    for (void* p : all) gort::malloc::Free(p);
  }).join();
}

TEST(MallocAlone, FeedsContainers) {
  std::pmr::vector<int> numbers(gort::malloc::Resource());
  numbers.resize(1000);
  std::iota(numbers.begin(), numbers.end(), 0);
  EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0), 499500);

  std::vector<int, gort::malloc::Allocator<int>> more(numbers.begin(), numbers.end());
  EXPECT_EQ(more.size(), 1000u);
}
