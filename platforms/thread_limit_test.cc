// Copies of /proc and /sys/fs/cgroup, and this process's own limits.
#include "gort/platforms/thread_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "gort/platforms/testing/fake_root.h"

namespace gort::rt {
namespace {

constexpr char kMountV2[] = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
constexpr char kMountV1[] =
    "40 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "41 31 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";

class ThreadLimitFiles : public testing::FakeRoot {
 protected:
  int64_t Limit(int64_t nproc = INT64_MAX) const { return ThreadLimitOf(root_.c_str(), nproc); }
};

TEST_F(ThreadLimitFiles, WithoutFilesRlimitAloneCounts) {
  EXPECT_EQ(Limit(), INT64_MAX);
  EXPECT_EQ(Limit(700), 700);
  EXPECT_EQ(Limit(0), 1);  // this thread is there
}

TEST_F(ThreadLimitFiles, WhatIsNoNumberIsNoLimit) {
  for (const char* text : {"", "max\n", "x", "-5\n", "1 2\n", "99999999999999999999\n"}) {
    SCOPED_TRACE(text);
    WriteProc("0::/a\n", kMountV2);
    Write("/sys/fs/cgroup/a/pids.max", text);
    Write("/proc/sys/kernel/threads-max", text);
    EXPECT_EQ(Limit(), INT64_MAX);
  }
}

TEST_F(ThreadLimitFiles, TheTightestOfAllCounts) {
  Write("/proc/sys/kernel/threads-max", "5000\n");
  EXPECT_EQ(Limit(), 5000);
  WriteProc("0::/a/b\n", kMountV2);
  Write("/sys/fs/cgroup/a/b/pids.max", "max\n");
  EXPECT_EQ(Limit(), 5000);
  Write("/sys/fs/cgroup/a/pids.max", "300\n");
  EXPECT_EQ(Limit(), 300);
  Write("/sys/fs/cgroup/a/b/pids.max", "400\n");
  EXPECT_EQ(Limit(), 300);
  EXPECT_EQ(Limit(200), 200);
  Write("/sys/fs/cgroup/pids.max", "100\n");
  EXPECT_EQ(Limit(200), 100);
}

TEST_F(ThreadLimitFiles, V1HasAHierarchyForTasks) {
  WriteProc("5:pids:/x\n4:cpu:/y\n", kMountV1);
  Write("/sys/fs/cgroup/cpu/y/pids.max", "1\n");
  EXPECT_EQ(Limit(), INT64_MAX);
  Write("/sys/fs/cgroup/pids/x/pids.max", "64\n");
  EXPECT_EQ(Limit(), 64);
}

TEST_F(ThreadLimitFiles, AContainerSeesTheHostsPaths) {
  WriteProc("0::/docker/abc/in\n",
            "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  Write("/sys/fs/cgroup/in/pids.max", "max\n");
  Write("/sys/fs/cgroup/pids.max", "512\n");
  EXPECT_EQ(Limit(), 512);
}

TEST(ThreadLimit, FollowsRlimitAndLeavesErrnoAlone) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NPROC, &limit), 0);
  errno = 1234;
  const int64_t before = ThreadLimit();
  EXPECT_EQ(errno, 1234);
  EXPECT_GE(before, 1);
  if (limit.rlim_cur < 50) GTEST_SKIP() << "fewer than the test would set";
  limit.rlim_cur = 50;
  ASSERT_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
  EXPECT_LE(ThreadLimit(), 50);
  EXPECT_LE(ThreadLimit(), before);
}

}  // namespace
}  // namespace gort::rt
