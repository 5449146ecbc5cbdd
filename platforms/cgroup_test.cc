#include "gort/platforms/cgroup.h"

#include <cerrno>
#include <string>

#include "gort/platforms/cpu.h"
#include "gort/platforms/testing/fake_root.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

constexpr char kMountV2[] = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
constexpr char kMountV1[] =
    "40 31 0:29 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
    "41 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n";

class Cgroup : public testing::FakeRoot {
 protected:
  void WriteCfs(const std::string& dir, int quota, int period) {
    Write(dir + "/cpu.cfs_quota_us", std::to_string(quota) + "\n");
    Write(dir + "/cpu.cfs_period_us", std::to_string(period) + "\n");
  }
  int Cpus() const { return CgroupCpus(root_.c_str()); }
};

TEST_F(Cgroup, NoFilesMeanNoLimit) {
  EXPECT_EQ(Cpus(), 0);
  WriteProc("0::/a\n", kMountV2);
  EXPECT_EQ(Cpus(), 0);
}

TEST_F(Cgroup, V2TakesTheTightestOfAllAncestors) {
  WriteProc("0::/user.slice/user-0.slice/x.scope\n", kMountV2);
  Write("/sys/fs/cgroup/user.slice/user-0.slice/x.scope/cpu.max", "800000 100000\n");
  EXPECT_EQ(Cpus(), 8);
  Write("/sys/fs/cgroup/user.slice/cpu.max", "250000 100000\n");
  EXPECT_EQ(Cpus(), 3);
  Write("/sys/fs/cgroup/user.slice/user-0.slice/cpu.max", "max 100000\n");
  EXPECT_EQ(Cpus(), 3);
  Write("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(Cpus(), 1);
}

TEST_F(Cgroup, V2WithoutAQuotaIsNoLimit) {
  WriteProc("0::/a\n", kMountV2);
  Write("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
  EXPECT_EQ(Cpus(), 0);
}

TEST_F(Cgroup, V2InAContainerWithItsOwnNamespace) {
  WriteProc("0::/\n", kMountV2);
  Write("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_EQ(Cpus(), 2);
}

TEST_F(Cgroup, V2InAContainerThatSeesTheHostsPaths) {
  WriteProc("0::/docker/abc/in\n",
            "9 8 0:2 / / rw - overlay overlay rw\n"
            "31 23 0:28 /docker/other /mnt/other ro - cgroup2 cgroup2 rw\n"
            "32 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
  Write("/mnt/other/cpu.max", "100000 100000\n");
  Write("/sys/fs/cgroup/cpu.max", "400000 100000\n");
  Write("/sys/fs/cgroup/in/cpu.max", "max 100000\n");
  EXPECT_EQ(Cpus(), 4);
}

TEST_F(Cgroup, AGroupOutsideOfTheNamespaceIsNoLimit) {
  WriteProc("0::/../sibling\n", kMountV2);
  Write("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(Cpus(), 0);
}

TEST_F(Cgroup, V1ReadsQuotaAndPeriodOfTheCpuHierarchyAlone) {
  WriteProc("5:memory:/m\n4:cpu,cpuacct:/a/b\n1:name=systemd:/s\n", kMountV1);
  WriteCfs("/sys/fs/cgroup/memory/m", 100000, 100000);
  WriteCfs("/sys/fs/cgroup/cpu,cpuacct/a/b", -1, 100000);
  EXPECT_EQ(Cpus(), 0);
  WriteCfs("/sys/fs/cgroup/cpu,cpuacct/a", 350000, 50000);
  EXPECT_EQ(Cpus(), 7);
  WriteCfs("/sys/fs/cgroup/cpu,cpuacct", 2000000, 100000);
  EXPECT_EQ(Cpus(), 7);
}

TEST_F(Cgroup, BothVersionsAtOnceGiveTheTighter) {
  WriteProc("4:cpu,cpuacct:/a\n0::/b\n",
            std::string(kMountV1) +
                "45 31 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n");
  WriteCfs("/sys/fs/cgroup/cpu,cpuacct/a", 600000, 100000);
  EXPECT_EQ(Cpus(), 6);
  Write("/sys/fs/cgroup/unified/b/cpu.max", "500000 100000\n");
  EXPECT_EQ(Cpus(), 5);
}

TEST_F(Cgroup, MountPointsWithBlanksAreFound) {
  WriteProc("0::/a\n", "31 23 0:28 / /my\\040groups\\134 rw - cgroup2 cgroup2 rw\n");
  Write("/my groups\\/a/cpu.max", "200000 100000\n");
  EXPECT_EQ(Cpus(), 2);
}

TEST_F(Cgroup, LinesLongerThanAnyBufferAreSteppedOver) {
  for (int bytes : {4000, 4090, 4095, 4096, 4097, 8192, 20000}) {
    std::string longish =
        "9 8 0:2 / / rw - overlay overlay rw,lowerdir=" + std::string(bytes, 'x') + "\n";
    WriteProc("0::/a\n", longish + longish + kMountV2);
    Write("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    EXPECT_EQ(Cpus(), 2) << bytes;
  }
}

TEST_F(Cgroup, AFileWithoutItsLastNewlineIsReadWhole) {
  WriteProc("0::/a", std::string(kMountV2, sizeof kMountV2 - 2));
  Write("/sys/fs/cgroup/a/cpu.max", "200000 100000");
  EXPECT_EQ(Cpus(), 2);
}

TEST_F(Cgroup, APathThatFitsNoBufferIsNoLimit) {
  std::string mount_point = "/" + std::string(3000, 'm');
  WriteProc("0::/" + std::string(3000, 'p') + "\n",
            "31 23 0:28 / " + mount_point + " rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(Cpus(), 0);
}

// The tests above have no cgroup.procs, which every real group has, and read mountinfo.
TEST_F(Cgroup, GroupsAtTheUsualPlacesAreFoundWithoutMountinfo) {
  WriteProc("4:cpu,cpuacct:/a\n0::/b\n", "");
  Write("/sys/fs/cgroup/cpu/a/cgroup.procs", "");
  WriteCfs("/sys/fs/cgroup/cpu/a", 600000, 100000);
  EXPECT_EQ(Cpus(), 6);
  WriteCfs("/sys/fs/cgroup/cpu", 500000, 100000);
  EXPECT_EQ(Cpus(), 5);
  Write("/sys/fs/cgroup/unified/b/cgroup.procs", "");
  Write("/sys/fs/cgroup/unified/b/cpu.max", "400000 100000\n");
  EXPECT_EQ(Cpus(), 4);
  Write("/sys/fs/cgroup/b/cgroup.procs", "");  // of two, what is mounted nearer to the root
  Write("/sys/fs/cgroup/b/cpu.max", "300000 100000\n");
  EXPECT_EQ(Cpus(), 3);
  Write("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(Cpus(), 2);
}

TEST_F(Cgroup, OfANamespacesRootTheLimitIsReadAtTheUsualPlace) {
  WriteProc("0::/\n", "");
  Write("/sys/fs/cgroup/cgroup.procs", "");
  Write("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_EQ(Cpus(), 2);
}

TEST_F(Cgroup, AGroupOutsideOfTheNamespaceIsNotSoughtAtTheUsualPlace) {
  WriteProc("0::/../sibling\n", "");
  Write("/sys/fs/sibling/cgroup.procs", "");
  Write("/sys/fs/sibling/cpu.max", "100000 100000\n");
  Write("/sys/fs/cgroup/cgroup.procs", "");
  EXPECT_EQ(Cpus(), 0);
}

TEST_F(Cgroup, LeavesErrnoAlone) {
  errno = 1234;
  EXPECT_EQ(Cpus(), 0);
  EXPECT_EQ(errno, 1234);
}

TEST(NumCpuCgroup, ReadsTheRealFilesWithoutFailing) {
  int cpus = NumCpuCgroup();
  EXPECT_GE(cpus, 0);
  EXPECT_EQ(cpus, CgroupCpus(""));
}

TEST(DefaultProcs, AQuotaCountsAsTwoAtLeastUnlessThereIsOneCpu) {
  EXPECT_EQ(DefaultProcs(8, 0), 8);
  EXPECT_EQ(DefaultProcs(8, 1), 2);
  EXPECT_EQ(DefaultProcs(8, 2), 2);
  EXPECT_EQ(DefaultProcs(8, 5), 5);
  EXPECT_EQ(DefaultProcs(8, 8), 8);
  EXPECT_EQ(DefaultProcs(8, 100), 8);
  EXPECT_EQ(DefaultProcs(1, 0), 1);
  EXPECT_EQ(DefaultProcs(1, 1), 1);
  EXPECT_EQ(DefaultProcs(1, 4), 1);
  for (int cpus = 1; cpus <= kLeastByQuota; ++cpus) {
    for (int quota = 0; quota < 10; ++quota) EXPECT_EQ(DefaultProcs(cpus, quota), cpus);
  }
}

}  // namespace
}  // namespace gort::rt
