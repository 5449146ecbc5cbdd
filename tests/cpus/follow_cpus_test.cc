// GOMAXPROCS goes with the affinity mask until somebody chooses it.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/time/clock.h"
#include "gort/runtime.h"
#include "gort/timer/sleep.h"

namespace {

// Sets the affinity mask of every thread of the process.
void SetAffinity(const cpu_set_t& cpus) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    sched_setaffinity(atoi(task.path().filename().c_str()), sizeof cpus, &cpus);
  }
}

// sysmon looks once a second, and only while the program does something.
bool BecomesWithin30s(int procs) {
  absl::Time end = absl::Now() + absl::Seconds(30);
  while (gort::GOMAXPROCS(0) != procs) {
    if (absl::Now() > end) return false;
    gort::Sleep(absl::Milliseconds(10));
  }
  return true;
}

TEST(FollowCpus, GomaxprocsGoesWithTheAffinityMaskUntilItIsChosen) {
  if (getenv("GOMAXPROCS") != nullptr) GTEST_SKIP() << "GOMAXPROCS is set";
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "one CPU";
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i) {
    if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
  }
  gort::Run([&] {
    const int before = gort::GOMAXPROCS(0);
    if (before == 1) return 0;  // a quota of less than a CPU and a half
    SetAffinity(one);
    EXPECT_TRUE(BecomesWithin30s(1));
    SetAffinity(all);
    EXPECT_TRUE(BecomesWithin30s(before));
    // A GOMAXPROCS that was chosen stays. A program that did not choose notices within a second.
    gort::GOMAXPROCS(before);
    SetAffinity(one);
    for (int i = 0; i < 150; ++i) {
      gort::Sleep(absl::Milliseconds(10));
      EXPECT_EQ(gort::GOMAXPROCS(0), before);
    }
    SetAffinity(all);
    return 0;
  });
}

}  // namespace
