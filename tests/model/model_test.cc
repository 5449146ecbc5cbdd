// Litmus tests: what the checker must find, and what it must not.
#include "tests/model/model.h"

#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/rand.h"
#include "gtest/gtest.h"
#include "tests/model/model_atomic.h"

namespace gort::rt::model {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

const Options kAll = {};

// The outcomes (r1, r2) of a body that returns them.
std::set<std::pair<int, int>> Outcomes(const std::function<std::pair<int, int>()>& body,
                                       bool future_reads = false) {
  std::set<std::pair<int, int>> outcomes;
  std::pair<int, int> last;
  Options options = kAll;
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

TEST(Model, StoreBufferingNeedsSeqCst) {
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

TEST(Model, MessagePassingNeedsReleaseAndAcquire) {
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

TEST(Model, LoadBufferingIsFoundByFutureReads) {
  EXPECT_FALSE(Outcomes([] { return LoadBuffering(kRelaxed, kRelaxed); }).contains({1, 1}));
  EXPECT_TRUE(Outcomes([] { return LoadBuffering(kRelaxed, kRelaxed); }, true).contains({1, 1}));
  EXPECT_TRUE(Outcomes([] { return LoadBuffering(kRelease, kRelaxed); }, true).contains({1, 1}));
  EXPECT_FALSE(Outcomes([] { return LoadBuffering(kRelease, kAcquire); }, true).contains({1, 1}));
}

TEST(Model, NothingComesOutOfThinAir) {
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

TEST(Model, ReadsOfOneLocationDoNotGoBack) {
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

TEST(Model, IndependentReadsOfIndependentWrites) {
  EXPECT_TRUE(Outcomes([] { return IndependentReads(kRelease, kAcquire); }).contains({2, 2}));
  EXPECT_FALSE(Outcomes([] { return IndependentReads(kSeqCst, kSeqCst); }).contains({2, 2}));
}

TEST(Model, ReadModifyWritesDoNotLoseUpdates) {
  const Result result = Explore(kAll, [] {
    Atomic<int> x{0};
    for (int i = 0; i < 3; i++) {
      Spawn([&] { x.fetch_add(1, kRelaxed); });
    }
    JoinAll();
    Check(x.load(kRelaxed) == 3, "three increments");
  });
  EXPECT_TRUE(result.ok) << result.failure << result.trace;
  EXPECT_TRUE(result.complete);
}

TEST(Model, LoadThenStoreLosesUpdates) {
  const Result result = Explore(kAll, [] {
    Atomic<int> x{0};
    for (int i = 0; i < 2; i++) {
      Spawn([&] { x.store(x.load() + 1); });
    }
    JoinAll();
    Check(x.load() == 2, "two increments");
  });
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.failure, "two increments");
}

TEST(Model, ReleaseSequenceGoesOnThroughReadModifyWritesOnly) {
  const auto body = [](bool rmw) {
    Atomic<int> flag{0};
    Var<int> data;
    Spawn([&] {
      data.Set(1);
      flag.store(1, kRelease);
    });
    Spawn([&, rmw] {
      int one = 1;
      if (rmw) {
        flag.compare_exchange_strong(one, 2, kRelaxed, kRelaxed);
      } else if (flag.load(kRelaxed) == 1) {
        flag.store(2, kRelaxed);
      }
    });
    Spawn([&] {
      if (flag.load(kAcquire) == 2) data.Get();
    });
    JoinAll();
  };
  EXPECT_TRUE(Explore(kAll, [&] { body(true); }).ok);
  EXPECT_FALSE(Explore(kAll, [&] { body(false); }).ok);
}

TEST(Model, PlainDataRaces) {
  const auto body = [](std::memory_order store) {
    Atomic<int> flag{0};
    Var<int> data;
    Spawn([&, store] {
      data.Set(1);
      flag.store(1, store);
    });
    Spawn([&] {
      if (flag.load(kAcquire) == 1) Check(data.Get() == 1, "the message");
    });
    JoinAll();
  };
  EXPECT_TRUE(Explore(kAll, [&] { body(kRelease); }).ok);
  const Result race = Explore(kAll, [&] { body(kRelaxed); });
  EXPECT_EQ(race.failure, "data race: read against write");
}

TEST(Model, LocksExcludeAndOrder) {
  const Result result = Explore(kAll, [] {
    Lock lock;
    Var<int> n{0};
    for (int i = 0; i < 3; i++) {
      Spawn([&] {
        LockScope scope(&lock);
        n.Set(n.Get() + 1);
      });
    }
    JoinAll();
    Check(n.Get() == 3, "three increments");
  });
  EXPECT_TRUE(result.ok) << result.failure << result.trace;
  EXPECT_TRUE(result.complete);
}

TEST(Model, FindsADeadlock) {
  const Result result = Explore(kAll, [] {
    Lock a, b;
    Spawn([&] {
      LockScope first(&a);
      LockScope second(&b);
    });
    Spawn([&] {
      LockScope first(&b);
      LockScope second(&a);
    });
    JoinAll();
  });
  EXPECT_EQ(result.failure, "deadlock: waiting for ever: T0 T1 T2");
}

TEST(Model, EventWakesAndOrders) {
  const Result result = Explore(kAll, [] {
    Event event;
    Var<int> data;
    Spawn([&] {
      event.Wait();
      data.Set(data.Get() + 1);
    });
    Spawn([&] {
      data.Set(1);
      event.Signal();
    });
    JoinAll();
    Check(data.Get() == 2, "both");
  });
  EXPECT_TRUE(result.ok) << result.failure << result.trace;
}

TEST(Model, PreemptionBoundCutsTheSearch) {
  const auto body = [] {
    Atomic<int> x{0};
    for (int i = 0; i < 2; i++) {
      Spawn([&] {
        for (int k = 0; k < 3; k++) x.fetch_add(1);
      });
    }
    JoinAll();
  };
  const uint64_t none = Explore({.max_preemptions = 0}, body).executions;
  const uint64_t one = Explore({.max_preemptions = 1}, body).executions;
  const uint64_t all = Explore(kAll, body).executions;
  EXPECT_LT(none, one);
  EXPECT_LT(one, all);
}

// What the reduction leaves out has no outcome of its own: random programs of three threads.
TEST(Model, TheReductionLosesNoOutcome) {
  struct Access {
    int kind;  // 0, 1: load; 2: store; 3: exchange
    int location;
    std::memory_order order;
  };
  FastRand rand(1);
  for (int program = 0; program < 60; program++) {
    const int n_threads = program % 2 == 0 ? 2 : 3;
    std::vector<std::vector<Access>> threads(n_threads);
    for (auto& accesses : threads) {
      for (int i = 0; i < (n_threads == 2 ? 4 : 2); i++) {
        const int kind = static_cast<int>(rand.N(4));
        std::memory_order order = kRelaxed;
        if (rand.N(3) == 0) order = kSeqCst;
        if (rand.N(3) == 0) order = kind <= 1 ? kAcquire : kRelease;
        accesses.push_back({kind, static_cast<int>(rand.N(2)), order});
      }
    }
    const auto outcomes = [&](int max_preemptions) {
      std::set<std::vector<int>> all;
      Explore({.max_preemptions = max_preemptions}, [&] {
        Atomic<int> locations[2];
        std::vector<std::vector<int>> read(threads.size());
        for (size_t t = 0; t < threads.size(); t++) {
          Spawn([&, t] {
            for (size_t i = 0; i < threads[t].size(); i++) {
              const auto [kind, location, order] = threads[t][i];
              const int value = static_cast<int>(t * 10 + i + 1);
              Atomic<int>& atomic = locations[location];
              if (kind <= 1) read[t].push_back(atomic.load(order));
              if (kind == 2) atomic.store(value, order);
              if (kind == 3) read[t].push_back(atomic.exchange(value, order));
            }
          });
        }
        JoinAll();
        std::vector<int> outcome = {locations[0].load(), locations[1].load()};
        for (const auto& r : read) outcome.insert(outcome.end(), r.begin(), r.end());
        all.insert(outcome);
      });
      return all;
    };
    ASSERT_EQ(outcomes(-1), outcomes(1000)) << "program " << program;
  }
}

TEST(Model, AFailureReplaysFromItsSchedule) {
  const auto body = [] {
    const auto [r1, r2] = StoreBuffering(kRelaxed, kRelaxed);
    Check(r1 + r2 != 0, "both read 0");
  };
  const Result found = Explore(kAll, body);
  ASSERT_FALSE(found.ok);
  Options options = kAll;
  options.replay = found.schedule;
  const Result replayed = Explore(options, body);
  EXPECT_FALSE(replayed.ok);
  EXPECT_EQ(replayed.executions, 1u);
  EXPECT_EQ(replayed.trace, found.trace);
  EXPECT_NE(found.trace.find("old"), std::string::npos) << found.trace;
}

TEST(Model, AnEndlessLoopIsAFailure) {
  const Result result = Explore(kAll, [] {
    Atomic<int> x{0};
    while (x.load() == 0) {
    }
  });
  EXPECT_EQ(result.failure, "the execution does not end");
}

}  // namespace
}  // namespace gort::rt::model
