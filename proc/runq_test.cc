#include "gort/proc/runq.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/p.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

// Gs numbered from 0 by their goid, and the Ps that pass them around.
class RunqTest : public testing::Test {
 protected:
  G* NewG() {
    gs_.push_back(std::make_unique<G>());
    gs_.back()->goid = gs_.size() - 1;
    return gs_.back().get();
  }
  // Puts n new Gs at the tail; all must fit.
  void Fill(P* pp, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) ASSERT_TRUE(Put(pp, NewG(), false));
  }
  // False: some went to overflow_.
  bool Put(P* pp, G* gp, bool next) {
    G* rest = RunqPut(pp, gp, next);
    RunqBatch batch;
    while (rest != nullptr && !RunqSpill(pp, rest, &batch)) rest = RunqPut(pp, rest, false);
    if (rest == nullptr) return true;
    overflow_n_ = static_cast<int32_t>(batch.end - batch.first);
    for (uint32_t i = batch.first; i < batch.end; i++) overflow_.PushBack(batch.g[i]);
    return false;
  }
  // goid of the next G; -1: none.
  int64_t Get(P* pp) {
    G* gp = RunqGet(pp, &inherit_time_);
    return gp == nullptr ? -1 : static_cast<int64_t>(gp->goid);
  }
  static std::vector<uint64_t> Ids(GQueue* q) {
    std::vector<uint64_t> ids;
    while (G* gp = q->Pop()) ids.push_back(gp->goid);
    return ids;
  }

  std::vector<std::unique_ptr<G>> gs_;
  P a_, b_;
  GQueue overflow_;
  int32_t overflow_n_ = -1;
  bool inherit_time_ = false;
};

TEST_F(RunqTest, EmptyGivesNothing) {
  EXPECT_TRUE(RunqEmpty(&a_));
  EXPECT_EQ(RunqLen(&a_), 0u);
  EXPECT_EQ(Get(&a_), -1);
  EXPECT_EQ(RunqSteal(&b_, &a_, true), nullptr);
  EXPECT_EQ(RunqDrain(&a_, &overflow_), 0);
}

TEST_F(RunqTest, RingIsFirstInFirstOut) {
  for (int round = 0; round < 3; round++) {  // indices run past the capacity
    const int64_t first = static_cast<int64_t>(gs_.size());
    Fill(&a_, kRunqSize);
    EXPECT_EQ(RunqLen(&a_), kRunqSize);
    EXPECT_FALSE(RunqEmpty(&a_));
    for (uint32_t i = 0; i < kRunqSize; i++) {
      ASSERT_EQ(Get(&a_), first + i);
      ASSERT_FALSE(inherit_time_);
    }
    EXPECT_TRUE(RunqEmpty(&a_));
  }
}

TEST_F(RunqTest, RunnextKicksItsPredecessorToTheTail) {
  Fill(&a_, 1);
  ASSERT_TRUE(Put(&a_, NewG(), true));
  ASSERT_TRUE(Put(&a_, NewG(), true));
  EXPECT_EQ(RunqLen(&a_), 3u);
  EXPECT_EQ(Get(&a_), 2);
  EXPECT_TRUE(inherit_time_);
  EXPECT_EQ(Get(&a_), 0);
  EXPECT_FALSE(inherit_time_);
  EXPECT_EQ(Get(&a_), 1);
  EXPECT_EQ(Get(&a_), -1);
}

TEST_F(RunqTest, RunnextAloneIsNotEmpty) {
  ASSERT_TRUE(Put(&a_, NewG(), true));
  EXPECT_FALSE(RunqEmpty(&a_));
  EXPECT_EQ(RunqLen(&a_), 1u);
}

TEST_F(RunqTest, OverflowTakesTheOlderHalfAndTheNewG) {
  Fill(&a_, kRunqSize);
  EXPECT_EQ(overflow_n_, -1);
  ASSERT_FALSE(Put(&a_, NewG(), false));
  EXPECT_EQ(overflow_n_, static_cast<int32_t>(kRunqSize / 2 + 1));
  const std::vector<uint64_t> ids = Ids(&overflow_);
  ASSERT_EQ(ids.size(), kRunqSize / 2 + 1);
  for (uint32_t i = 0; i < kRunqSize / 2; i++) EXPECT_EQ(ids[i], i);
  EXPECT_EQ(ids.back(), kRunqSize);
  EXPECT_EQ(RunqLen(&a_), kRunqSize / 2);
  EXPECT_EQ(Get(&a_), static_cast<int64_t>(kRunqSize / 2));
}

TEST_F(RunqTest, OverflowThroughRunnextSendsTheOldNext) {
  Fill(&a_, kRunqSize);
  ASSERT_TRUE(Put(&a_, NewG(), true));
  ASSERT_FALSE(Put(&a_, NewG(), true));
  EXPECT_EQ(Ids(&overflow_).back(), kRunqSize);
  EXPECT_EQ(Get(&a_), static_cast<int64_t>(kRunqSize + 1));
  EXPECT_TRUE(inherit_time_);
}

TEST_F(RunqTest, PutBatchMovesWhatFits) {
  Fill(&a_, kRunqSize - 3);
  GQueue batch;
  for (int i = 0; i < 5; i++) batch.PushBack(NewG());
  EXPECT_EQ(RunqPutBatch(&a_, &batch, 2), 2);
  EXPECT_EQ(RunqPutBatch(&a_, &batch, 3), 1);
  EXPECT_EQ(RunqPutBatch(&a_, &batch, 2), 0);
  EXPECT_EQ(Ids(&batch), (std::vector<uint64_t>{kRunqSize, kRunqSize + 1}));
  for (uint32_t i = 0; i < kRunqSize; i++) ASSERT_EQ(Get(&a_), i);
}

TEST_F(RunqTest, StealTakesHalfRoundedUp) {
  Fill(&a_, 7);
  G* gp = RunqSteal(&b_, &a_, false);
  ASSERT_NE(gp, nullptr);
  EXPECT_EQ(gp->goid, 3u);
  EXPECT_EQ(RunqLen(&a_), 3u);
  EXPECT_EQ(RunqLen(&b_), 3u);
  EXPECT_EQ(Get(&b_), 0);
  EXPECT_EQ(Get(&b_), 1);
  EXPECT_EQ(Get(&b_), 2);
  EXPECT_EQ(Get(&a_), 4);
}

TEST_F(RunqTest, StealFromAFullRingAcrossTheSeam) {
  Fill(&a_, 5);
  for (int i = 0; i < 5; i++) Get(&a_);
  Fill(&a_, kRunqSize);
  Fill(&b_, kRunqSize / 2);  // as full as a thief's ring may be
  ASSERT_NE(RunqSteal(&b_, &a_, false), nullptr);
  EXPECT_EQ(RunqLen(&a_), kRunqSize / 2);
  EXPECT_EQ(RunqLen(&b_), kRunqSize - 1);
}

TEST_F(RunqTest, RunnextIsStolenOnlyOnRequestAndOnlyFromAnEmptyRing) {
  ASSERT_TRUE(Put(&a_, NewG(), true));
  EXPECT_EQ(RunqSteal(&b_, &a_, false), nullptr);
  Fill(&a_, 1);
  G* gp = RunqSteal(&b_, &a_, true);
  ASSERT_NE(gp, nullptr);
  EXPECT_EQ(gp->goid, 1u);
  gp = RunqSteal(&b_, &a_, true);
  ASSERT_NE(gp, nullptr);
  EXPECT_EQ(gp->goid, 0u);
  EXPECT_TRUE(RunqEmpty(&a_));
  EXPECT_TRUE(RunqEmpty(&b_));
}

TEST_F(RunqTest, BackoffLetsTheVictimRunItsNext) {
  ASSERT_TRUE(Put(&a_, NewG(), true));
  G* gp = RunqSteal(&b_, &a_, true, [](const P* victim) {
    bool inherit_time;
    RunqGet(const_cast<P*>(victim), &inherit_time);
  });
  EXPECT_EQ(gp, nullptr);
  EXPECT_TRUE(RunqEmpty(&a_));
}

TEST_F(RunqTest, DrainKeepsTheOrder) {
  Fill(&a_, 3);
  ASSERT_TRUE(Put(&a_, NewG(), true));
  EXPECT_EQ(RunqDrain(&a_, &overflow_), 4);
  EXPECT_EQ(Ids(&overflow_), (std::vector<uint64_t>{3, 0, 1, 2}));
  EXPECT_TRUE(RunqEmpty(&a_));
}

TEST_F(RunqTest, ABatchGoesBackAsFarAsThereIsRoom) {
  Fill(&b_, kRunqSize);
  RunqBatch batch;
  ASSERT_TRUE(RunqSpill(&b_, NewG(), &batch));  // 0 to kRunqSize / 2 - 1, and kRunqSize
  EXPECT_EQ(RunqPutBatch(&a_, &batch, 3), 3);
  for (int64_t i = 0; i < 3; i++) EXPECT_EQ(Get(&a_), i);
  EXPECT_EQ(Get(&a_), -1);
  Fill(&a_, kRunqSize - 2);
  EXPECT_EQ(RunqPutBatch(&a_, &batch, 100), 2);
  EXPECT_EQ(batch.first, 5u);
  EXPECT_EQ(batch.end, kRunqSize / 2 + 1);
}

// Without thieves the owner's plain stores do what its swaps do.
TEST_F(RunqTest, AloneItIsTheSameQueue) {
  RunqSetAlone(&a_, true);
  uint32_t random = 1;
  for (int i = 0; i < 20'000; i++) {
    random = random * 1664525 + 1013904223;
    const bool next = (random & (1u << 20)) != 0;
    if (random >> 31 != 0) {
      G* gp = NewG();
      EXPECT_EQ(Put(&a_, gp, next), Put(&b_, gp, next));
    } else {
      EXPECT_EQ(Get(&a_), Get(&b_));
    }
    ASSERT_EQ(RunqLen(&a_), RunqLen(&b_));
    overflow_ = GQueue();
  }
}

TEST_F(RunqTest, IndicesWrapAround) {
  a_.runq.head.store(0xfffffffeu);
  a_.runq.tail.store(0xfffffffeu);
  Fill(&a_, kRunqSize);
  RunqPublish(&a_);
  EXPECT_EQ(RunqLen(&a_), kRunqSize);
  ASSERT_FALSE(Put(&a_, NewG(), false));
  EXPECT_EQ(RunqLen(&a_), kRunqSize / 2);
  ASSERT_NE(RunqSteal(&b_, &a_, false), nullptr);
  EXPECT_EQ(RunqLen(&b_), kRunqSize / 4 - 1);
}

// Every G is run exactly once, and its plain fields arrive with it.
TEST_F(RunqTest, StressOwnerAndThieves) {
  constexpr int kThieves = 3;
  constexpr int kGs = 30000;
  std::vector<G> gs(kGs);
  std::vector<std::atomic<int>> runs(kGs);
  std::atomic<int> left{kGs};
  std::atomic<int> misread{0};
  const auto run = [&](G* gp) {
    if (gp->goid >= kGs || gp != &gs[gp->goid]) misread++;
    runs[gp->goid].fetch_add(1);
    left.fetch_sub(1);
  };
  std::vector<std::thread> thieves;
  for (int i = 0; i < kThieves; i++) {
    thieves.emplace_back([&] {
      P mine;
      bool inherit_time;
      while (left.load() > 0) {
        if (G* gp = RunqSteal(&mine, &a_, true)) run(gp);
        while (G* gp = RunqGet(&mine, &inherit_time)) run(gp);
      }
    });
  }
  for (int i = 0; i < kGs; i++) {
    gs[i].goid = i;
    if (!Put(&a_, &gs[i], i % 3 == 0)) {
      while (G* gp = overflow_.Pop()) run(gp);
    }
    bool inherit_time;
    if (i % 2 == 0) {
      if (G* gp = RunqGet(&a_, &inherit_time)) run(gp);
    }
  }
  bool inherit_time;
  while (G* gp = RunqGet(&a_, &inherit_time)) run(gp);
  for (std::thread& thief : thieves) thief.join();
  for (int i = 0; i < kGs; i++) ASSERT_EQ(runs[i].load(), 1) << i;
  EXPECT_EQ(misread.load(), 0);
}

}  // namespace
}  // namespace gort::rt
