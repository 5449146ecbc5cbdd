// base/testing/child.h: runs a scenario in a child process and hands back how it ended.
// What      for what ends the process: Throw, Fatal, faults. The child is a fork without exec, so
//           the test must have no other thread at that moment (each test joins its own).
// Layer     tests only.
#ifndef GORT_BASE_TESTING_CHILD_H_
#define GORT_BASE_TESTING_CHILD_H_

#include <functional>
#include <string>

namespace gort::rt::testing {

struct ChildResult {
  int exit_status = -1;  // -1: ended by a signal
  int signal = 0;        // 0: exited
  std::string err;       // all that went to stderr
};

// Runs fn in a child whose stderr is collected. A child whose fn returns exits with status 0
// without running handlers. A child that lives longer than a minute is ended by SIGALRM.
ChildResult RunInChild(const std::function<void()>& fn);

}  // namespace gort::rt::testing

#endif  // GORT_BASE_TESTING_CHILD_H_
