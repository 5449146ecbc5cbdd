// What works before the runtime has started, and what the first Run makes of it.
// One test: a process starts once.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "absl/time/time.h"
#include "gort/context/cancel_scope.h"
#include "gort/runtime.h"
#include "gort/timer/timer.h"
#include "gort/timer/timer_scope.h"

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
  // Timers wait for the start, as goroutines do; one that was stopped does not come.
  std::atomic<int> timers = 0;
  AfterFunc(absl::ZeroDuration(), [&timers] { timers += 1; });
  const Timer later = AfterFunc(absl::Milliseconds(1), [&timers] { timers += 10; });
  EXPECT_TRUE(AfterFunc(absl::Milliseconds(1), [&timers] { timers += 100; }).Stop());
  EXPECT_TRUE(later.Reset(absl::Milliseconds(2)));
  const CancelScope scope(Background(), absl::Milliseconds(1));
  TickerScope ticker(absl::Milliseconds(1));
  EXPECT_TRUE(scope.context().Err().ok());
  int procs = gort::Run([&] {
    while (!early || timers != 11) Gosched();
    scope.context().Done().Recv();
    ticker.C().Recv();
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
