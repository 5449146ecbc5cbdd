// What works before the runtime has started, and what the first Run makes of it.
// One test: a process starts once.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "gort/runtime.h"

namespace gort {
namespace {

TEST(BeforeRun, AsksAnswerAndTheNumbersOfPsAndThreadsHold) {
  EXPECT_GE(NumCPU(), 1);
  EXPECT_EQ(NumGoroutine(), 0);
  EXPECT_EQ(Goid(), 0u);
  const int cpus = NumCPU();

  unsetenv("GOMAXPROCS");
  EXPECT_EQ(GOMAXPROCS(0), cpus);
  setenv("GOMAXPROCS", "5", 1);
  EXPECT_EQ(GOMAXPROCS(0), 5);
  EXPECT_EQ(GOMAXPROCS(3), 5);  // the call goes before the environment
  EXPECT_EQ(GOMAXPROCS(-1), 3);

  EXPECT_EQ(SetMaxThreads(500), 10000);

  std::atomic<bool> early = false;
  Go([&early] { early = true; });
  int procs = gort::Run([&early] {
    while (!early) Gosched();
    EXPECT_GE(NumGoroutine(), 1);
    return GOMAXPROCS(0);
  });
  EXPECT_EQ(procs, 3);
  EXPECT_EQ(SetMaxThreads(400), 500);
  EXPECT_EQ(GOMAXPROCS(2), 3);
  EXPECT_EQ(NumCPU(), cpus);
  EXPECT_EQ(gort::Run([] { return GOMAXPROCS(0); }), 2);
}

}  // namespace
}  // namespace gort
