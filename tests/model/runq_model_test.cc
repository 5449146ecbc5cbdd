// The product's run queue, of capacity 4, under the model checker; and the proof that the checker
// would have noticed: each memory order that proc/runq.h names is weakened in turn.
#include <atomic>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>

#include "gort/gmp/p.h"
#include "gort/proc/runq.h"
#include "gort/tests/model/model.h"
#include "gort/tests/model/runq_scenarios.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

const model::Options kOptions = {.future_reads = true};

class RunqModel : public testing::TestWithParam<RunqScenario> {};

TEST_P(RunqModel, Holds) {
  const model::Result result = model::Explore(kOptions, GetParam().body);
  EXPECT_TRUE(result.ok) << result.failure << "\nschedule " << result.schedule << "\n"
                         << result.trace;
  EXPECT_TRUE(result.complete);
  std::cout << result.executions << " executions, " << result.cut_executions << " of them cut\n";
}

INSTANTIATE_TEST_SUITE_P(All, RunqModel, testing::ValuesIn(RunqScenarios()),
                         [](const auto& param_info) { return param_info.param.name; });

// Explores the one scenario that is there to notice a certain mistake.
model::Result ExploreNamed(const std::string& name) {
  for (const RunqScenario& scenario : RunqScenarios()) {
    if (scenario.name == name) return model::Explore(kOptions, scenario.body);
  }
  ADD_FAILURE() << "no scenario " << name;
  return {};
}

struct Mutant {
  const char* name;
  std::memory_order* order;
  std::memory_order weaker;
  const char* scenario;
  const char* failure;
};

class RunqMutant : public testing::TestWithParam<Mutant> {};

TEST_P(RunqMutant, IsFound) {
  const Mutant& mutant = GetParam();
  const std::memory_order right = std::exchange(*mutant.order, mutant.weaker);
  const model::Result result = ExploreNamed(mutant.scenario);
  *mutant.order = right;
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.failure, mutant.failure);
  std::cout << "after " << result.executions << " executions:\n" << result.trace;
}

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr char kTwice[] = "a G was taken twice";
constexpr char kRace[] = "data race: read against write";
constexpr char kLie[] = "RunqEmpty of a queue that is never empty";
constexpr char kLost[] = "a lost wake-up";

const Mutant kMutants[] = {
    {"HeadTakeRelaxed", &runq_order::kHeadTake, kRelaxed, "SlotsAreReused", kTwice},
    {"HeadReuseRelaxed", &runq_order::kHeadReuse, kRelaxed, "SlotsAreReused", kTwice},
    {"HeadLookRelaxed", &runq_order::kHeadLook, kRelaxed, "NotEmptyWhileTheRingTurns", kLie},
    {"TailPutRelaxed", &runq_order::kTailPut, kRelaxed, "OneThief", kRace},
    {"TailLookRelaxed", &runq_order::kTailLook, kRelaxed, "OneThief", kRace},
    {"TailPublishRelease", &runq_order::kTailPublish, kRelease, "PublishRing", kLost},
    {"NextPutRelease", &runq_order::kNextPut, kRelease, "PublishRunnext", kLost},
    {"NextEmptyAcquire", &runq_order::kNextEmpty, kAcquire, "PublishRunnext", kLost},
    {"TailEmptyAcquire", &runq_order::kTailEmpty, kAcquire, "PublishRing", kLost},
    {"NextPutRelaxed", &runq_order::kNextPut, kRelaxed, "Runnext", kRace},
    {"NextStealRelaxed", &runq_order::kNextSteal, kRelaxed, "Runnext", kRace},
    {"NextGetRelaxed", &runq_order::kNextGet, kRelaxed, "NotEmptyWhileRunnextMoves", kLie},
    {"NextEmptyRelaxed", &runq_order::kNextEmpty, kRelaxed, "NotEmptyWhileRunnextMoves", kLie},
};

INSTANTIATE_TEST_SUITE_P(All, RunqMutant, testing::ValuesIn(kMutants),
                         [](const auto& param_info) { return param_info.param.name; });

TEST(RunqEmptyMutant, WithoutTheSecondLookAtTailIsFound) {
  runq_empty = [](const P* pp) {
    const RunQueue& q = pp->runq;
    const uint32_t head = q.head.load();
    const uint32_t tail = q.tail.load();
    return head == tail && q.runnext.load() == nullptr;
  };
  const model::Result result = ExploreNamed("NotEmptyWhileRunnextMoves");
  runq_empty = &RunqEmpty;
  EXPECT_EQ(result.failure, kLie);
}

TEST(RunqEmptyMutant, WithTailBeforeHeadIsFound) {
  runq_empty = [](const P* pp) {
    const RunQueue& q = pp->runq;
    const uint32_t tail = q.tail.load();
    return q.head.load() == tail && q.runnext.load() == nullptr;
  };
  const model::Result result = ExploreNamed("NotEmptyWhileTheRingTurns");
  runq_empty = &RunqEmpty;
  EXPECT_EQ(result.failure, kLie);
}

}  // namespace
}  // namespace gort::rt
