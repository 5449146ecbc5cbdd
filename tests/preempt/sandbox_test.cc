// A program that forbids itself system calls after its start, as sandboxes do.
#include "gort/tests/support/sandbox.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/preempt/preempt.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/timer/sleep.h"

namespace sandbox {
namespace {

using gort::rt::Interrupted;
using gort::rt::PreemptCount;

// Without a barrier on the other threads nothing may be taken from a thread behind its back: a signal
// asks the one that sleeps in a call.
TEST(Sandbox, WithoutTheBarrierASleepersPIsTakenByASignal) {
  if (GORT_TSAN) GTEST_SKIP() << "no pre-emption here";
  gort::Run([] {
    gort::GOMAXPROCS(1);
    gort::Sleep(absl::Milliseconds(1));  // the monitor has begun
    if (!gort::testing::ForbidCall(SYS_membarrier)) return 0;
    std::atomic<bool> stop{false};
    gort::WaitGroup sleepers;
    for (int i = 0; i < 3; ++i) {
      sleepers.Go([&] {
        while (!stop.load()) {
          gort::Gosched();  // with a P
          usleep(50'000);
        }
      });
    }
    const int64_t before = PreemptCount(Interrupted::kAtCall);
    const absl::Time latest = absl::Now() + absl::Seconds(30);
    while (PreemptCount(Interrupted::kAtCall) < before + 10 && absl::Now() < latest) {
      gort::Sleep(absl::Milliseconds(1));
    }
    EXPECT_GE(PreemptCount(Interrupted::kAtCall), before + 10);
    stop.store(true);
    sleepers.Wait();
    return 0;
  });
}

}  // namespace
}  // namespace sandbox
