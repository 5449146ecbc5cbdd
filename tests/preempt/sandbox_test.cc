// A program that forbids itself system calls after its start, as sandboxes do.
#include "gort/tests/support/sandbox.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/timer/sleep.h"

namespace sandbox {
namespace {

// The monitor then relies on the kernel's word that a thread sleeps; where it does not get that either,
// it sends signals.
TEST(Sandbox, SleepersLoseTheirPsWithoutTheBarrierToo) {
  if (GORT_TSAN) GTEST_SKIP() << "no pre-emption here";
  gort::Run([] {
    gort::GOMAXPROCS(1);
    gort::Sleep(absl::Milliseconds(1));  // the monitor has begun
    if (!gort::testing::ForbidCall(SYS_membarrier)) return 0;
    std::atomic<bool> stop{false};
    std::atomic<int> ended_early{0};
    gort::WaitGroup sleepers;
    for (int i = 0; i < 3; ++i) {
      sleepers.Go([&] {
        while (!stop.load()) {
          gort::Gosched();  // with a P
          if (usleep(50'000) != 0) ended_early.fetch_add(1);
        }
      });
    }
    constexpr int kTicks = 200;
    const absl::Time start = absl::Now();
    for (int i = 0; i < kTicks; ++i) gort::Sleep(absl::Milliseconds(1));
    // With a sleep of 50 ms before each tick it would be 10 s.
    EXPECT_LT(absl::Now() - start, absl::Seconds(8));
    EXPECT_EQ(ended_early.load(), 0);
    stop.store(true);
    sleepers.Wait();
    return 0;
  });
}

}  // namespace
}  // namespace sandbox
