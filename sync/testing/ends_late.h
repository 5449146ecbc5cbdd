// sync/testing/ends_late.h: a capture that cannot be moved, and whose end takes its time.
#ifndef GORT_SYNC_TESTING_ENDS_LATE_H_
#define GORT_SYNC_TESTING_ENDS_LATE_H_

#include <atomic>

#include "gort/tests/support/goroutines.h"

namespace gort::testing {

// Lets others run before it ends, if `slow` says so.
struct EndsLate {
  std::atomic<int>* alive;
  bool* slow;
  EndsLate(std::atomic<int>* count, bool* s) : alive(count), slow(s) { ++*alive; }
  EndsLate(const EndsLate& other) : EndsLate(other.alive, other.slow) {}
  ~EndsLate() {
    for (int i = 0; *slow && i < 10; ++i) Yield();
    --*alive;
  }
};

}  // namespace gort::testing

#endif  // GORT_SYNC_TESTING_ENDS_LATE_H_
