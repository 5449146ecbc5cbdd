// Which threads a program has when its main function begins. Each start is a child process, because a process starts
// once.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "absl/time/time.h"
#include "gort/gmp/sched.h"
#include "gort/runtime.h"
#include "gort/timer/timer.h"

namespace gort {
namespace {

int Threads() {
  rt::LockGuard l(&rt::sched.lock);
  return static_cast<int>(rt::sched.mnext);
}

// Ends the process with the number of Ms there were at the beginning of main.
[[noreturn]] void StartAfter(void (*before)()) {
  setenv("GOMAXPROCS", "4", 1);
  before();
  exit(Run([] { return Threads(); }));
}

// The first thread and the monitor's.
constexpr int kFewest = 2;

// The thread that finds work may have made another one already, to look for more.
bool EndedWithMore(int status) { return WIFEXITED(status) && WEXITSTATUS(status) > kFewest; }

TEST(Start, NoThreadIsMadeForNothing) {
  EXPECT_EXIT(StartAfter([] {}), ::testing::ExitedWithCode(kFewest), "");
}

TEST(Start, AGoroutineThatWaitsForTheStartHasAThreadToRunOn) {
  EXPECT_EXIT(StartAfter([] { Go([] {}); }), EndedWithMore, "");
}

TEST(Start, ATimerThatWaitsForTheStartHasAThreadThatWatchesIt) {
  EXPECT_EXIT(StartAfter([] { AfterFunc(absl::Hours(1), [] {}); }), EndedWithMore, "");
}

}  // namespace
}  // namespace gort
