#include "gort/platforms/cpu.h"

#include <sched.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

TEST(Cpu, InitFillsInThePlatformsFacts) {
  CpuInit();
  ASSERT_GT(strlen(cpu_info.vendor), 0u);
  for (const char* c = cpu_info.vendor; *c != '\0'; ++c) EXPECT_TRUE(isprint(*c));
  // cpuid's names are twelve letters long, and cpuid knows the family too.
  if (strlen(cpu_info.vendor) == 12) {
    EXPECT_NE(cpu_info.family, 0u);
    constexpr uint64_t kSse2 = 1 << 26;  // every amd64 has it
    EXPECT_NE(cpu_info.features & kSse2, 0u);
  }
}

TEST(Cpu, AffinityCountsTheCpusOfTheMask) {
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);  // what nproc(1) counts
  EXPECT_EQ(NumCpuAffinity(), CPU_COUNT(&set));
}

TEST(Cpu, AffinityFollowsAPinnedProcess) {
  testing::ChildResult r = testing::RunInChild([] {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) _exit(100);
    int one = 0;
    while (!CPU_ISSET(one, &set)) ++one;
    CPU_ZERO(&set);
    CPU_SET(one, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) _exit(101);
    _exit(NumCpuAffinity());
  });
  EXPECT_EQ(r.status, 1);
}

TEST(Cpu, CountingLeavesErrnoAlone) {
  errno = 1234;
  NumCpuAffinity();
  EXPECT_EQ(errno, 1234);
}

TEST(Cpu, ProcYieldReturns) {
  ProcYield(0);
  ProcYield(1000);
}

}  // namespace
}  // namespace gort::rt
