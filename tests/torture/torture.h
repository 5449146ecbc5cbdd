// tests/torture/torture.h: what the loads of the torture share.
#ifndef GORT_TESTS_TORTURE_TORTURE_H_
#define GORT_TESTS_TORTURE_TORTURE_H_

#include <atomic>
#include <cstdint>

#include "gort/base/rand.h"

namespace torture {

// One goroutine of a load, which does its round over and over.
struct Worker {
  gort::rt::FastRand rand;
  std::atomic<int64_t> progress{0};
};

// A result is wrong: ends the program.
[[noreturn]] void Fail(const char* load, const char* what);

// User code that takes a while and makes no calls: a target for the signal.
inline uint64_t Burn(uint64_t n) {
  uint64_t x = n | 1;
  for (uint64_t i = 0; i < n; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
  return x;
}
inline std::atomic<uint64_t> sink{0};

// owned.cc: what belongs to a thread.
void OwnedLocks(Worker* w);    // locks that know their thread, held over loops
void ThreadLocals(Worker* w);  // counts, objects and buffers of the thread
void Yielding(Worker* w);      // a lock that waits by sched_yield

}  // namespace torture

#endif  // GORT_TESTS_TORTURE_TORTURE_H_
