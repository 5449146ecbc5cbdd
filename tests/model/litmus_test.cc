// Litmus tests: the outcomes that the memory model allows are found, and no others.
#include <atomic>
#include <functional>
#include <set>
#include <utility>

#include "gort/tests/model/model.h"
#include "gort/tests/model/model_atomic.h"
#include "gtest/gtest.h"

namespace gort::rt::model {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

// The outcomes (r1, r2) of a body that returns them.
std::set<std::pair<int, int>> Outcomes(const std::function<std::pair<int, int>()>& body,
                                       bool future_reads = false) {
  std::set<std::pair<int, int>> outcomes;
  std::pair<int, int> last;
  Options options;
  options.future_reads = future_reads;
  // An execution counts when it is over and not void: a failing one is exactly that.
  for (;;) {
    const Result result = Explore(options, [&] {
      last = body();
      Check(outcomes.contains(last), "new outcome");
    });
    if (result.ok) return outcomes;
    outcomes.insert(last);
  }
}

std::pair<int, int> StoreBuffering(std::memory_order store, std::memory_order load) {
  Atomic<int> x{0}, y{0};
  int r1 = -1, r2 = -1;
  Spawn([&] {
    x.store(1, store);
    r1 = y.load(load);
  });
  Spawn([&] {
    y.store(1, store);
    r2 = x.load(load);
  });
  JoinAll();
  return {r1, r2};
}

TEST(Litmus, StoreBufferingNeedsSeqCst) {
  EXPECT_TRUE(Outcomes([] { return StoreBuffering(kRelaxed, kRelaxed); }).contains({0, 0}));
  EXPECT_TRUE(Outcomes([] { return StoreBuffering(kRelease, kAcquire); }).contains({0, 0}));
  EXPECT_TRUE(Outcomes([] { return StoreBuffering(kSeqCst, kAcquire); }).contains({0, 0}));
  EXPECT_TRUE(Outcomes([] { return StoreBuffering(kRelease, kSeqCst); }).contains({0, 0}));
  const auto strong = Outcomes([] { return StoreBuffering(kSeqCst, kSeqCst); });
  EXPECT_EQ(strong, (std::set<std::pair<int, int>>{{0, 1}, {1, 0}, {1, 1}}));
}

std::pair<int, int> MessagePassing(std::memory_order store, std::memory_order load) {
  Atomic<int> data{0}, flag{0};
  int r1 = -1, r2 = -1;
  Spawn([&] {
    data.store(1, kRelaxed);
    flag.store(1, store);
  });
  Spawn([&] {
    r1 = flag.load(load);
    r2 = data.load(kRelaxed);
  });
  JoinAll();
  return {r1, r2};
}

TEST(Litmus, MessagePassingNeedsReleaseAndAcquire) {
  EXPECT_TRUE(Outcomes([] { return MessagePassing(kRelaxed, kAcquire); }).contains({1, 0}));
  EXPECT_TRUE(Outcomes([] { return MessagePassing(kRelease, kRelaxed); }).contains({1, 0}));
  const auto strong = Outcomes([] { return MessagePassing(kRelease, kAcquire); });
  EXPECT_EQ(strong, (std::set<std::pair<int, int>>{{0, 0}, {0, 1}, {1, 1}}));
}

std::pair<int, int> LoadBuffering(std::memory_order store, std::memory_order load) {
  Atomic<int> x{0}, y{0};
  int r1 = -1, r2 = -1;
  Spawn([&] {
    r1 = x.load(kRelaxed);
    y.store(1, store);
  });
  Spawn([&] {
    r2 = y.load(load);
    x.store(1, kRelaxed);
  });
  JoinAll();
  return {r1, r2};
}

TEST(Litmus, LoadBufferingIsFoundByFutureReads) {
  EXPECT_FALSE(Outcomes([] { return LoadBuffering(kRelaxed, kRelaxed); }).contains({1, 1}));
  EXPECT_TRUE(Outcomes([] { return LoadBuffering(kRelaxed, kRelaxed); }, true).contains({1, 1}));
  EXPECT_TRUE(Outcomes([] { return LoadBuffering(kRelease, kRelaxed); }, true).contains({1, 1}));
  EXPECT_FALSE(Outcomes([] { return LoadBuffering(kRelease, kAcquire); }, true).contains({1, 1}));
}

TEST(Litmus, NothingComesOutOfThinAir) {
  const auto outcomes = Outcomes(
      [] {
        Atomic<int> x{0}, y{0};
        int r1 = -1, r2 = -1;
        Spawn([&] { y.store(r1 = x.load(kRelaxed), kRelaxed); });
        Spawn([&] { x.store(r2 = y.load(kRelaxed), kRelaxed); });
        JoinAll();
        return std::pair{r1, r2};
      },
      true);
  EXPECT_EQ(outcomes, (std::set<std::pair<int, int>>{{0, 0}}));
}

TEST(Litmus, ReadsOfOneLocationDoNotGoBack) {
  const auto outcomes = Outcomes(
      [] {
        Atomic<int> x{0};
        int r1 = -1, r2 = -1;
        Spawn([&] { x.store(1, kRelaxed); });
        Spawn([&] {
          r1 = x.load(kRelaxed);
          r2 = x.load(kRelaxed);
        });
        JoinAll();
        return std::pair{r1, r2};
      },
      true);
  EXPECT_EQ(outcomes, (std::set<std::pair<int, int>>{{0, 0}, {0, 1}, {1, 1}}));
}

// Two readers may disagree on the order of two independent writes, unless all is seq_cst.
std::pair<int, int> IndependentReads(std::memory_order store, std::memory_order load) {
  Atomic<int> x{0}, y{0};
  int a[2], b[2];
  Spawn([&] { x.store(1, store); });
  Spawn([&] { y.store(1, store); });
  Spawn([&] {
    a[0] = x.load(load);
    a[1] = y.load(load);
  });
  Spawn([&] {
    b[0] = y.load(load);
    b[1] = x.load(load);
  });
  JoinAll();
  return {a[0] * 2 + a[1], b[0] * 2 + b[1]};
}

TEST(Litmus, IndependentReadsOfIndependentWrites) {
  EXPECT_TRUE(Outcomes([] { return IndependentReads(kRelease, kAcquire); }).contains({2, 2}));
  EXPECT_FALSE(Outcomes([] { return IndependentReads(kSeqCst, kSeqCst); }).contains({2, 2}));
}

}  // namespace
}  // namespace gort::rt::model
