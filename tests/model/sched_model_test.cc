// The scheduler's own source under the model checker: no wake-up is lost, and the rest of what
// sched_world.h asks for (README.md).
#include <cstdlib>
#include <iostream>

#include "gort/tests/model/sched_scenarios.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

// Of every scenario, on demand: GORT_MODEL_MORE_PREEMPTIONS=1.
int MorePreemptions() {
  const char* text = getenv("GORT_MODEL_MORE_PREEMPTIONS");
  return text != nullptr ? atoi(text) : 0;
}

class SchedModel : public testing::TestWithParam<SchedScenario> {};

TEST_P(SchedModel, Holds) {
  const model::Result result = ExploreSched(GetParam(), MorePreemptions());
  EXPECT_TRUE(result.ok) << result.failure << "\nschedule " << result.schedule << "\n"
                         << result.trace;
  EXPECT_TRUE(result.complete);
  std::cout << result.executions << " executions, " << result.states << " states\n";
}

INSTANTIATE_TEST_SUITE_P(All, SchedModel, testing::ValuesIn(SchedScenarios()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace gort::rt
