// Several threads allocate, check, hand over and free. GORT_TEST_SEED repeats a run's choices.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/malloc/internal/mcache.h"
#include "gort/malloc/internal/mcentral.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/malloc/malloc.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

constexpr int kThreads = 4;
// The sanitizers make everything an order of magnitude slower.
constexpr int kSlower = GORT_TSAN ? 10 : GORT_ASAN ? 3 : 1;

uint64_t Seed() {
  static const uint64_t seed = [] {
    const char* env = std::getenv("GORT_TEST_SEED");
    uint64_t s = env != nullptr ? std::strtoull(env, nullptr, 10) : std::random_device{}();
    printf("GORT_TEST_SEED=%llu\n", static_cast<unsigned long long>(s));
    return s;
  }();
  return seed;
}

// A block whose bytes all say who made it.
struct Block {
  unsigned char* p;
  size_t n;
  unsigned char fill;

  static Block Make(rt::FastRand* rng) {
    size_t n = rng->N(8) == 0 ? rng->N(100'000) : rng->N(rng->N(2) == 0 ? 40 : 2000);
    if (rng->N(2000) == 0) n = size_t{1} << 20;
    Block b{nullptr, n, static_cast<unsigned char>(rng->Next())};
    size_t align = size_t{1} << rng->N(10);
    b.p = static_cast<unsigned char*>(rng->N(8) == 0 ? malloc::AllocAligned(align, n)
                                                     : malloc::Alloc(n));
    memset(b.p, b.fill, n);
    return b;
  }
  void CheckAndFree() const {
    for (size_t i = 0; i < n; i += 1 + i / 16) ASSERT_EQ(p[i], fill);
    malloc::Free(p);
  }
};

template <class Fn>
void OnThreads(Fn fn) {
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(fn, t);
  for (auto& t : threads) t.join();
}

TEST(MallocStressTest, ThreadsWithSharedBlocks) {
  // A pool that every thread puts into and takes out of: most frees are foreign.
  constexpr size_t kSlots = 256;
  struct Slot {
    std::mutex mu;
    std::vector<Block> blocks;
  };
  std::vector<Slot> pool(kSlots);
  const malloc::Stats before = malloc::ReadStats();
  OnThreads([&](int t) {
    rt::FastRand rng(Seed() + static_cast<uint64_t>(t));
    for (int i = 0; i < 60'000 / kSlower; ++i) {
      Slot& slot = pool[rng.N(kSlots)];
      std::vector<Block> mine;
      {
        std::lock_guard<std::mutex> guard(slot.mu);
        if (slot.blocks.size() < 16 && rng.N(3) != 0) {
          slot.blocks.push_back(Block::Make(&rng));
        } else {
          mine.swap(slot.blocks);
        }
      }
      for (const Block& b : mine) b.CheckAndFree();
      if (rng.N(20'000) == 0) malloc::ReleaseFreeMemory();
    }
  });
  for (Slot& slot : pool) {
    for (const Block& b : slot.blocks) b.CheckAndFree();
  }
  const malloc::Stats after = malloc::ReadStats();
  // The C++ library's own memory is not ours here, so the counts agree to the object.
  EXPECT_EQ(after.in_use_objects, before.in_use_objects);
  EXPECT_EQ(after.in_use, before.in_use);
}

TEST(MallocStressTest, OneAllocatesAnotherFrees) {
  constexpr int kCount = 100'000 / kSlower;
  std::vector<std::atomic<unsigned char*>> ring(1024);
  const malloc::Stats before = malloc::ReadStats();
  std::thread producer([&] {
    for (int i = 0; i < kCount; ++i) {
      auto& slot = ring[static_cast<size_t>(i) % ring.size()];
      auto* p = static_cast<unsigned char*>(malloc::Alloc(static_cast<size_t>(1 + i % 500)));
      *p = static_cast<unsigned char>(i);
      while (slot.load(std::memory_order_acquire) != nullptr) std::this_thread::yield();
      slot.store(p, std::memory_order_release);
    }
  });
  for (int i = 0; i < kCount; ++i) {
    auto& slot = ring[static_cast<size_t>(i) % ring.size()];
    unsigned char* p;
    while ((p = slot.load(std::memory_order_acquire)) == nullptr) std::this_thread::yield();
    ASSERT_EQ(*p, static_cast<unsigned char>(i));
    malloc::Free(p);
    slot.store(nullptr, std::memory_order_release);
  }
  producer.join();
  const malloc::Stats after = malloc::ReadStats();
  EXPECT_EQ(after.in_use, before.in_use);
  // Memory went round, it did not pile up at the consumer.
  EXPECT_LT(after.heap_in_use - before.heap_in_use, size_t{16} << 20);
}

TEST(MallocStressTest, ManyShortThreadsLeaveNothingBehind) {
  const malloc::Stats before = malloc::ReadStats();
  uint64_t metadata = 0;
  for (int round = 0; round < 50 / kSlower + 10; ++round) {
    OnThreads([&](int t) {
      for (size_t n = 1; n < 5000; n += 13) malloc::Free(malloc::Alloc(n));
    });
    if (round == 10) metadata = malloc::ReadStats().metadata;
  }
  const malloc::Stats after = malloc::ReadStats();
  EXPECT_EQ(after.in_use, before.in_use);
  EXPECT_EQ(after.cached, before.cached);  // flushed at each thread's end
  EXPECT_LE(after.metadata, metadata + (1 << 20));
}

// What the scheduler does: caches move from thread to thread, each with one owner at a time.
TEST(MallocStressTest, CachesThatMoveBetweenThreads) {
  struct Proc {
    std::mutex mu;
    rt::MCache* cache = rt::AllocMCache();
  };
  std::vector<Proc> procs(3);
  const malloc::Stats before = malloc::ReadStats();
  OnThreads([&](int t) {
    rt::FastRand rng(Seed() ^ static_cast<uint64_t>(t + 100));
    std::vector<Block> blocks;
    for (int i = 0; i < 2000 / kSlower; ++i) {
      Proc& pp = procs[rng.N(3)];
      std::lock_guard<std::mutex> acquire(pp.mu);
      ASSERT_EQ(rt::SetThreadMCache(pp.cache), nullptr);
      for (int k = 0; k < 10; ++k) blocks.push_back(Block::Make(&rng));
      while (blocks.size() > 50) {
        blocks.back().CheckAndFree();
        blocks.pop_back();
      }
      ASSERT_EQ(rt::SetThreadMCache(nullptr), pp.cache);
    }
    for (const Block& b : blocks) b.CheckAndFree();  // through the thread's own cache
  });
  for (Proc& pp : procs) rt::FreeMCache(pp.cache);
  EXPECT_EQ(malloc::ReadStats().in_use, before.in_use);
}

// A block of many pages, each of which says whose it is.
struct LargeBlock {
  unsigned char* p = nullptr;
  size_t n = 0;
  unsigned char fill = 0;

  static LargeBlock Make(rt::FastRand* rng) {
    LargeBlock b{nullptr, 33'000 + rng->N(rng->N(16) == 0 ? 3'000'000 : 600'000),
                 static_cast<unsigned char>(1 + rng->N(255))};
    const uint32_t kind = rng->N(4);
    const size_t align = size_t{1} << rng->N(18);
    void* p = kind == 0   ? malloc::AllocZeroed(1, b.n)
              : kind == 1 ? malloc::AllocAligned(align, b.n)
                          : malloc::Alloc(b.n);
    b.p = static_cast<unsigned char*>(p);
    if (kind == 0) b.Expect(0);
    if (kind == 1) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
    }
    b.Fill();
    return b;
  }
  void Fill() const {
    EachPage([this](size_t i) { p[i] = fill; });
  }
  void Expect(unsigned char value) const {
    EachPage([this, value](size_t i) { ASSERT_EQ(p[i], value) << "byte " << i << " of " << n; });
  }
  void Resize(size_t to) {
    const size_t had = n;
    p = static_cast<unsigned char*>(malloc::Realloc(p, to));
    n = std::min(had, to);
    p[n - 1] = fill;
    Expect(fill);
    n = to;
    Fill();
  }
  void CheckAndFree() const {
    if (p == nullptr) return;
    Expect(fill);
    malloc::Free(p);
  }

 private:
  template <class Fn>
  void EachPage(Fn fn) const {
    for (size_t i = 0; i < n; i += 4096) fn(i);
    fn(n - 1);
  }
};

TEST(MallocStressTest, LargeBlocksGoFromThreadToThreadBesideALimit) {
  struct Slot {
    std::mutex mu;
    LargeBlock block;
  };
  std::vector<Slot> pool(48);
  const malloc::Stats before = malloc::ReadStats();
  OnThreads([&](int t) {
    rt::FastRand rng(Seed() ^ static_cast<uint64_t>(t + 300));
    for (int i = 0; i < 1500 / kSlower; ++i) {
      LargeBlock b = LargeBlock::Make(&rng);
      if (rng.N(4) == 0) b.Resize(20'000 + rng.N(900'000));
      {
        Slot& slot = pool[rng.N(48)];
        std::lock_guard<std::mutex> guard(slot.mu);
        std::swap(slot.block, b);
      }
      b.CheckAndFree();
      if (rng.N(200) == 0) malloc::SetMemoryLimit(rng.N(2) == 0 ? INT64_MAX : 24 << 20);
      if (rng.N(400) == 0) malloc::ReleaseFreeMemory();
    }
  });
  malloc::SetMemoryLimit(INT64_MAX);
  for (const Slot& slot : pool) slot.block.CheckAndFree();
  malloc::ReleaseFreeMemory();
  const malloc::Stats after = malloc::ReadStats();
  EXPECT_EQ(after.in_use_large, before.in_use_large);
  EXPECT_EQ(after.in_use, before.in_use);
  EXPECT_EQ(after.heap_idle, after.heap_released);
}

TEST(MallocStressTest, ScavengerBesideAllocation) {
  rt::SetBackgroundScavenger(true);
  std::atomic<bool> stop{false};
  std::thread sysmon([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      (void)rt::ScavengeDebt();
      rt::ScavengeOne(64 << 10);
    }
  });
  OnThreads([&](int t) {
    rt::FastRand rng(Seed() ^ static_cast<uint64_t>(t + 200));
    std::vector<Block> blocks;
    for (int i = 0; i < 10'000 / kSlower; ++i) {
      blocks.push_back(Block::Make(&rng));
      if (blocks.size() < 100) continue;
      std::swap(blocks[rng.N(100)], blocks.back());
      blocks.back().CheckAndFree();
      blocks.pop_back();
    }
    for (const Block& b : blocks) b.CheckAndFree();
  });
  stop.store(true, std::memory_order_relaxed);
  sysmon.join();
  rt::SetBackgroundScavenger(false);
  malloc::ReleaseFreeMemory();
  const malloc::Stats s = malloc::ReadStats();
  EXPECT_EQ(s.heap_idle, s.heap_released);
}

}  // namespace
}  // namespace gort
