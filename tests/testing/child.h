// tests/testing/child.h: running another program and looking at how it ended.
// What      for scenarios that kill the process. The program is a cc_binary in the test's `data`.
#ifndef GORT_TESTS_TESTING_CHILD_H_
#define GORT_TESTS_TESTING_CHILD_H_

#include <string>
#include <vector>

namespace gort::testing {

struct ChildResult {
  int status = -1;     // exit status; 128 + n when signal n killed it; -1: could not be started
  std::string output;  // stdout and stderr together
};

// Runs `program`, a path relative to the runfiles of this workspace ("chan/chan_scenarios"), with
// these arguments and the environment of the test plus `env` ("GODEBUG=x"), and waits for its end.
// Set GORT_RUN_UNDER to run it under an emulator.
ChildResult RunChild(const std::string& program, const std::vector<std::string>& args,
                     const std::vector<std::string>& env = {});

}  // namespace gort::testing

#endif  // GORT_TESTS_TESTING_CHILD_H_
