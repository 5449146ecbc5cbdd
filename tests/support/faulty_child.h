// tests/support/faulty_child.h: runs a program some of whose system calls fail.
// What      a seccomp filter in the child hands the calls to this process, which counts them and says
//           which of them fail. The kernel makes the others as if nothing were.
//           Calls of the dynamic linker's own are left alone and not counted.
#ifndef GORT_TESTS_SUPPORT_FAULTY_CHILD_H_
#define GORT_TESTS_SUPPORT_FAULTY_CHILD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "gort/tests/support/child.h"

namespace gort::testing {

// Of setrlimit(2), soft and hard.
struct Limit {
  int resource;
  uint64_t value;
};

struct Fault {
  std::vector<int> calls;  // numbers of system calls, counted together
  long nth = 0;            // the first that fails; 0: none
  bool later_too = false;  // all after it fail as well
  int error = 0;           // errno of those that fail
  std::vector<Limit> limits = {};
};

struct FaultyResult {
  ChildResult child;  // status 128 + SIGKILL where it was late
  long calls = 0;     // how many were counted
  bool late = false;  // it did not end in time and was killed
};

// As RunProgram. False: the system has no such filters (an emulator, an old kernel, a container).
bool RunFaulty(const std::string& program, const std::vector<std::string>& args, const Fault& fault,
               FaultyResult* out);

}  // namespace gort::testing

#endif  // GORT_TESTS_SUPPORT_FAULTY_CHILD_H_
