#include "gort/malloc/internal/mcache.h"

#include <pthread.h>

#include <cstring>
#include <thread>
#include <vector>

#include "gort/malloc/internal/current_mcache.h"
#include "gort/malloc/internal/mcentral.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/malloc/internal/page_map.h"
#include "gort/malloc/internal/sample.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/malloc/internal/size_classes.h"
#include "gort/malloc/malloc.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

MSpan* SpanOf(void* p) { return page_map.Get(reinterpret_cast<uintptr_t>(p)); }

TEST(MCentralTest, BatchesComeAndGo) {
  const int c = SizeToClass(4096);
  const uint64_t out = mcentrals[c].objects_out();
  size_t got;
  FreeObject* list = mcentrals[c].Fetch(c, 3, &got);
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(got, 3u);
  EXPECT_EQ(mcentrals[c].objects_out(), out + 3);
  size_t n = 0;
  for (FreeObject* o = list; o != nullptr; o = o->next, ++n) {
    EXPECT_EQ(SpanOf(o)->span_class, c);
    EXPECT_TRUE(SpanOf(o)->in_use());
  }
  EXPECT_EQ(n, 3u);
  mcentrals[c].Return(c, list, got);
  EXPECT_EQ(mcentrals[c].objects_out(), out);
}

TEST(MCentralTest, AnEmptySpanGoesHome) {
  const int c = SizeToClass(32768);
  const uint64_t inuse = mheap.ReadStats().inuse;
  size_t got;
  FreeObject* list = mcentrals[c].Fetch(c, 1, &got);
  EXPECT_GT(mheap.ReadStats().inuse, inuse);
  mcentrals[c].Return(c, list, got);
  EXPECT_EQ(mheap.ReadStats().inuse, inuse);
}

TEST(HeapSampleTest, TheDistanceToTheNextIsNeverNegative) {
  for (const int64_t rate : {int64_t{1}, int64_t{2}, int64_t{512} << 10, INT64_MAX}) {
    for (int i = 0; i < 100; ++i) EXPECT_GE(NextHeapSample(rate), 0) << rate;
  }
}

// Objects of so many bytes that are counted until Sampled is asked.
int64_t CountUntilMet(HeapSampler* s, size_t bytes) {
  for (int64_t n = 1;; ++n) {
    if (s->Met(bytes)) return n;
  }
}

TEST(HeapSampleTest, ANewRateIsSeenWithinAStride) {
  HeapSampler s;
  CountUntilMet(&s, 1000);
  EXPECT_EQ(s.Sampled(int64_t{1} << 40), 0);
  EXPECT_LE(CountUntilMet(&s, 1000), (512 << 10) / 1000 + 1);
  EXPECT_EQ(s.Sampled(1), 1);
  EXPECT_EQ(CountUntilMet(&s, 1000), 1);
}

TEST(HeapSampleTest, EachByteHasTheSameChanceBeyondAStride) {
  constexpr int64_t kRate = 1 << 20;
  constexpr int64_t kSamples = 2000;
  HeapSampler s;
  int64_t samples = 0;
  for (int64_t bytes = 0; bytes < kSamples * kRate; bytes += 5000) {
    if (s.Met(5000)) samples += s.Sampled(kRate) != 0 ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(samples), kSamples, 0.1 * kSamples);  // 4 standard deviations
}

TEST(MCacheTest, GivesBackTheLastFreed) {
  MCache* c = AllocMCache();
  const int k = SizeToClass(64);
  void* a = c->Alloc(k);
  void* b = c->Alloc(k);
  EXPECT_NE(a, b);
  c->Free(static_cast<FreeObject*>(a), k);
  EXPECT_EQ(c->Alloc(k), a);
  c->Free(static_cast<FreeObject*>(a), k);
  c->Free(static_cast<FreeObject*>(b), k);
  FreeMCache(c);
}

TEST(MCacheTest, HoldsAtMostTwoBatches) {
  MCache* c = AllocMCache();
  const int k = SizeToClass(256);
  std::vector<void*> all;
  for (int i = 0; i < 5000; ++i) all.push_back(c->Alloc(k));
  for (void* p : all) {
    c->Free(static_cast<FreeObject*>(p), k);
    ASSERT_LE(c->Cached(k), 2u * kSizeClasses[k].batch);
  }
  const uint64_t out = mcentrals[k].objects_out();
  const uint64_t cached = c->Cached(k) + mcentrals[k].batched();
  c->Flush();
  DrainBatches();
  EXPECT_EQ(c->Cached(k), 0u);
  EXPECT_EQ(mcentrals[k].objects_out(), out - cached);
  FreeMCache(c);
}

TEST(MCentralTest, AWholeBatchComesBackAsItIs) {
  const int c = SizeToClass(48);
  const size_t batch = kSizeClasses[c].batch;
  const uint64_t out = mcentrals[c].objects_out();
  size_t got;
  FreeObject* list = mcentrals[c].Fetch(c, batch, &got);
  ASSERT_EQ(got, batch);
  mcentrals[c].Return(c, list, batch);
  EXPECT_EQ(mcentrals[c].batched(), batch);
  EXPECT_EQ(mcentrals[c].objects_out(), out + batch);
  EXPECT_EQ(mcentrals[c].Fetch(c, batch, &got), list);
  EXPECT_EQ(got, batch);
  EXPECT_EQ(mcentrals[c].batched(), 0u);
  mcentrals[c].Return(c, list, batch);
  mcentrals[c].Drain(c);
  EXPECT_EQ(mcentrals[c].batched(), 0u);
  EXPECT_EQ(mcentrals[c].objects_out(), out);
}

TEST(MCacheTest, TinyBlockDiesWithItsLastObject) {
  MCache* c = AllocMCache();
  const uint64_t out = mcentrals[kTinySpanClass].objects_out();
  std::vector<void*> all;
  for (int i = 0; i < kTinySlots + 3; ++i) all.push_back(c->AllocTiny());
  for (void* p : all) c->FreeTiny(p);
  c->Flush();
  EXPECT_EQ(mcentrals[kTinySpanClass].objects_out(), out);
  FreeMCache(c);
}

TEST(CurrentMCacheTest, AThreadGetsItsOwnAndFallsBackOnIt) {
  std::thread([] {
    EXPECT_EQ(t_mcache, nullptr);
    gort::malloc::Free(gort::malloc::Alloc(10));
    MCache* own = t_mcache;
    EXPECT_NE(own, nullptr);
    MCache* c = AllocMCache();
    EXPECT_EQ(SetThreadMCache(c), nullptr);
    EXPECT_EQ(t_mcache, c);
    EXPECT_EQ(SetThreadMCache(nullptr), c);
    EXPECT_EQ(t_mcache, own);
    FreeMCache(c);
  }).join();
}

TEST(CurrentMCacheTest, MallocInitHandsOverWhatTheThreadHas) {
  gort::malloc::Free(gort::malloc::Alloc(10));
  MCache* own = t_mcache;
  EXPECT_EQ(MallocInit(), own);
  EXPECT_EQ(t_mcache, own);
  EXPECT_EQ(SetThreadMCache(nullptr), own);  // now it is P 0's, not the thread's
  EXPECT_EQ(t_mcache, nullptr);
  gort::malloc::Free(gort::malloc::Alloc(10));
  EXPECT_NE(t_mcache, own);
  EXPECT_EQ(SetThreadMCache(own), nullptr);
}

// A key destructor that runs after ours must still be able to allocate and free.
pthread_key_t late_key;
void* late_block;
void LateDestructor(void* p) {
  gort::malloc::Free(p);
  for (int i = 0; i < 100; ++i) gort::malloc::Free(gort::malloc::Alloc(100));
  late_block = gort::malloc::Alloc(3);
}

TEST(CurrentMCacheTest, AllocationWhileTheThreadEnds) {
  gort::malloc::Free(gort::malloc::Alloc(10));  // malloc's key exists, so it comes before ours
  ASSERT_EQ(pthread_key_create(&late_key, &LateDestructor), 0);
  std::thread([] {
    pthread_setspecific(late_key, gort::malloc::Alloc(1000));
    struct AtEnd {
      ~AtEnd() { gort::malloc::Free(gort::malloc::Alloc(50)); }
    };
    static thread_local AtEnd at_end;
    (void)at_end;
  }).join();
  ASSERT_NE(late_block, nullptr);
  gort::malloc::Free(late_block);
  pthread_key_delete(late_key);
}

TEST(ScavengeTest, OneAtATimeAndAll) {
  constexpr size_t kBytes = size_t{16} << 20;
  void* p = gort::malloc::Alloc(kBytes);
  memset(p, 1, kBytes);
  gort::malloc::Free(p);
  EXPECT_GT(ScavengeDebt(), 0);
  EXPECT_EQ(ScavengeOne(0), 0);
  EXPECT_EQ(ScavengeOne(-1), 0);
  const uint64_t released = mheap.ReadStats().released;
  const int64_t n = ScavengeOne(64 << 10);
  EXPECT_GE(n, 64 << 10);
  EXPECT_EQ(mheap.ReadStats().released, released + static_cast<uint64_t>(n));
  ScavengeAll();
  EXPECT_EQ(ScavengeDebt(), 0);
  EXPECT_EQ(mheap.ReadStats().released, mheap.ReadStats().free);
  EXPECT_EQ(ScavengeOne(1 << 20), 0);
}

}  // namespace
}  // namespace gort::rt
