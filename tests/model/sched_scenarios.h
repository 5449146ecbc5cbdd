// tests/model/sched_scenarios.h: small programs on the scheduler's own source.
// What      bodies for model::Explore, each a World with 1 or 2 Ps and some Ms, Gs or timers that
//           meet at one point of the wake-up protocol (README.md). What must hold is in
//           sched_world.h.
#ifndef GORT_TESTS_MODEL_SCHED_SCENARIOS_H_
#define GORT_TESTS_MODEL_SCHED_SCENARIOS_H_

#include <string>
#include <vector>

#include "gort/tests/model/model.h"

namespace gort::rt {

struct SchedScenario {
  const char* name;
  void (*body)();
  // The bounds within which everything is tried (model::Options); 0 old reads: sequential
  // consistency.
  int max_preemptions;
  int max_stale_reads;
};

const std::vector<SchedScenario>& SchedScenarios();

// Explores one of them, with more pre-emptions than it says.
model::Result ExploreSched(const SchedScenario& scenario, int more_preemptions = 0);

}  // namespace gort::rt

#endif  // GORT_TESTS_MODEL_SCHED_SCENARIOS_H_
