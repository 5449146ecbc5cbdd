// tests/support/child.h: runs a program, or a function, in a child process, and says how it ended.
// What      for what ends the process: fatal errors, faults, signals.
#ifndef GORT_TESTS_SUPPORT_CHILD_H_
#define GORT_TESTS_SUPPORT_CHILD_H_

#include <functional>
#include <string>
#include <vector>

namespace gort::testing {

struct ChildResult {
  int status = -1;     // exit status; 128 + n when signal n killed it; -1: could not be started
  std::string output;  // stdout and stderr together
};

// Runs `program`, a cc_binary in the test's `data`, by its path in the runfiles of this workspace
// ("sync/fatal_scenarios"), with these arguments and the environment of the test plus `env`
// ("GODEBUG=x"), and waits for its end. An emulator, if there is one, runs it (Emulated).
ChildResult RunProgram(const std::string& program, const std::vector<std::string>& args,
                       const std::vector<std::string>& env = {});

// Runs fn in a fork of this process, which must have no other thread at that moment. When fn
// returns, the child exits with status 0, without handlers. SIGALRM ends a child after a minute.
ChildResult RunInChild(const std::function<void()>& fn);

}  // namespace gort::testing

#endif  // GORT_TESTS_SUPPORT_CHILD_H_
