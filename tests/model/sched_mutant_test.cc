// Every mistake of sched_mutants.txt is noticed, by the scenario that is there for it.
#include <iostream>
#include <string>

#include "gort/tests/model/mutant.h"
#include "gort/tests/model/sched_scenarios.h"
#include "gtest/gtest.h"

namespace gort::rt {

namespace model {
int mutant = -1;
}  // namespace model

namespace {

struct Mutant {
  const char* name;
  const char* scenario;
  const char* failure;
};
const Mutant kMutants[] = {
#include "tests/model/sched_mutants.inc"  // generated
};

class SchedMutant : public testing::TestWithParam<int> {
 protected:
  ~SchedMutant() override { model::mutant = -1; }
};

TEST_P(SchedMutant, IsFound) {
  const Mutant& mutant = kMutants[GetParam()];
  for (const SchedScenario& scenario : SchedScenarios()) {
    if (std::string(scenario.name) != mutant.scenario) continue;
    model::mutant = GetParam();
    const model::Result result = ExploreSched(scenario);
    EXPECT_FALSE(result.ok);
    EXPECT_NE(result.failure.find(mutant.failure), std::string::npos) << result.failure;
    std::cout << mutant.name << ": after " << result.executions << " executions: " << result.failure
              << "\n";
    return;
  }
  FAIL() << "no scenario " << mutant.scenario;
}

INSTANTIATE_TEST_SUITE_P(All, SchedMutant, testing::Range(0, static_cast<int>(std::size(kMutants))),
                         [](const auto& param_info) { return kMutants[param_info.param].name; });

}  // namespace
}  // namespace gort::rt
