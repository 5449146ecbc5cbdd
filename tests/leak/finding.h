// tests/leak/finding.h: steps that leave nothing behind for the next, and who is not to be named.
#ifndef GORT_TESTS_LEAK_FINDING_H_
#define GORT_TESTS_LEAK_FINDING_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/chan/chan.h"
#include "gort/leak/leak.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"
#include "gort/timer/sleep.h"
#include "gtest/gtest.h"

namespace gort::leak {

inline constexpr bool kSanitized = GORT_ASAN || GORT_TSAN;

// Calls f on a goroutine, and returns when that has ended. Static, because a block of the heap may end
// with what an earlier one held.
inline WaitGroup called;
template <class F>
void Call(F f) {
  called.Go(f);
  called.Wait();
}

// A goroutine gets the stack of one that has ended, with what that left there.
inline GORT_NOINLINE void CleanStack() {
  volatile char zeros[16384];
  for (volatile char& c : zeros) c = 0;
}

// Goroutines of this that wait for ever are found by their name.
inline size_t Named(const Report& r, const std::string& name) {
  size_t n = 0;
  for (const Goroutine& g : r.leaked) {
    if (g.name != name) continue;
    ++n;
    ADD_FAILURE() << g.traceback;
  }
  return n;
}

// Starts a goroutine that waits for c.
template <class T>
void StartWaiter(const char* name, Chan<T> c) {
  GoOptions options;
  options.name = name;
  Go(options, [c = std::move(c)] { c.Recv(); });
}

// Searches a few times, with the goroutine of this name parked, and expects that it is never named.
inline void ExpectReached(const char* name) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Named(Find(), name), 0u) << name;
    Sleep(absl::Milliseconds(1));
  }
}

}  // namespace gort::leak

#endif  // GORT_TESTS_LEAK_FINDING_H_
