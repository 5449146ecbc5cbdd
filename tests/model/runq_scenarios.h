// tests/model/runq_scenarios.h: small programs on the run queue, each with what must hold.
// What      bodies for model::Explore. Every G is taken exactly once, by a taker that sees what was
//           written to it before it was put; RunqEmpty is true only of a queue that was empty, and
//           with RunqPublish, or runnext, never hides a G from both sides of the wake-up protocol.
#ifndef GORT_TESTS_MODEL_RUNQ_SCENARIOS_H_
#define GORT_TESTS_MODEL_RUNQ_SCENARIOS_H_

#include <vector>

namespace gort::rt {

struct P;

struct RunqScenario {
  const char* name;
  void (*body)();
};

const std::vector<RunqScenario>& RunqScenarios();

// What the scenarios ask instead of RunqEmpty, so that a wrong version can be tried.
extern bool (*runq_empty)(const P* pp);

}  // namespace gort::rt

#endif  // GORT_TESTS_MODEL_RUNQ_SCENARIOS_H_
