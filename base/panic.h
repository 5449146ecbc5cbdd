// base/panic.h: the exception for misuse of gort.
// What      gort::Panic; what() is Go's text. A program may catch it. A Panic that leaves a
//           goroutine's function ends the process with "panic: <what()>" and status 2.
// Layer     1. Code that may throw C++ exceptions may throw it, but not with a runtime lock held.
// Go        panic, runtime.plainError
#ifndef GORT_BASE_PANIC_H_
#define GORT_BASE_PANIC_H_

#include <stdexcept>

namespace gort {

class Panic : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace gort

#endif  // GORT_BASE_PANIC_H_
