// An idle program sleeps: no thread of it, sysmon included, uses the CPU or wakes up.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "gort/base/attributes.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/timer/sleep.h"

namespace gort {
namespace {

constexpr int kSeconds = 3;
// Allows for two or three switches of the main goroutine's own sleep. On a busy machine the main
// thread waits for a CPU before it can look, and sysmon goes round a few times meanwhile. A thread
// of the sanitizer looks around ten times a second.
constexpr int64_t kSwitches = GORT_TSAN ? 20 * kSeconds : 12;
constexpr int64_t kCpuUs = GORT_TSAN ? 100'000 : 10'000;

struct Usage {
  int64_t switches;  // made by threads in order to wait, and not by the kernel
  int64_t cpu_us;
};

int64_t Micros(const timeval& t) { return int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; }

// The sum over all threads.
Usage Now() {
  rusage r;
  getrusage(RUSAGE_SELF, &r);
  return {r.ru_nvcsw, Micros(r.ru_utime) + Micros(r.ru_stime)};
}

TEST(Idle, NoCpuAndNoWakeUpsInThreeSeconds) {
  Usage used = {};
  gort::Run([&used] {
    // Some of everything: busy threads first, then goroutines that wait for ever.
    WaitGroup wg;
    for (int i = 0; i < 1000; ++i) {
      wg.Go([] {
        for (int j = 0; j < 10; ++j) Gosched();
      });
    }
    wg.Wait();
    Chan<int> never = MakeChan<int>();
    for (int i = 0; i < 1000; ++i) Go([never]() mutable { never.Recv(); });
    // Memory of the burst goes back to the OS first, within a second or two.
    for (int round = 0; round < 5; ++round) {
      Usage before = Now();
      Sleep(absl::Seconds(kSeconds));
      Usage after = Now();
      used = {after.switches - before.switches, after.cpu_us - before.cpu_us};
      if (used.switches <= kSwitches) break;
    }
    never.Close();
    return 0;
  });
  EXPECT_LE(used.switches, kSwitches);
  EXPECT_LE(used.cpu_us, kCpuUs);
}

}  // namespace
}  // namespace gort
