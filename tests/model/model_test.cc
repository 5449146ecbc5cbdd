// The checker finds lost updates, races and deadlocks, and its bounds and reductions do what they
// say.
#include "gort/tests/model/model.h"

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "gort/base/rand.h"
#include "gort/tests/model/model_atomic.h"
#include "gtest/gtest.h"

namespace gort::rt::model {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

const Options kAll = {};

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

TEST(Model, NobodyWaitsForADaemon) {
  const Result result = Explore(kAll, [] {
    Event never, once;
    SpawnDaemon([&] {
      once.Signal();
      never.Wait();
    });
    Spawn([&] { once.Wait(); });
    JoinAll();
  });
  EXPECT_TRUE(result.ok) << result.failure << result.trace;
  EXPECT_TRUE(result.complete);
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
    Atomic<int> x{0}, y{0};
    int r1 = -1, r2 = -1;
    Spawn([&] {
      x.store(1, kRelaxed);
      r1 = y.load(kRelaxed);
    });
    Spawn([&] {
      y.store(1, kRelaxed);
      r2 = x.load(kRelaxed);
    });
    JoinAll();
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
