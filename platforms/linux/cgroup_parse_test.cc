#include "gort/platforms/linux/cgroup_parse.h"

#include <climits>
#include <string>

#include "gtest/gtest.h"

namespace gort::rt {
namespace {

TEST(CgroupLine, TellsTheVersionAndThePath) {
  CgroupMembership m = ParseCgroupLine("0::/user.slice/a:b");
  EXPECT_EQ(m.version, CgroupVersion::kV2);
  EXPECT_EQ(m.path, "/user.slice/a:b");
  m = ParseCgroupLine("4:cpuacct,cpu:/x");
  EXPECT_EQ(m.version, CgroupVersion::kV1);
  EXPECT_EQ(m.path, "/x");
}

TEST(CgroupLine, HierarchiesWithoutTheCpuControllerAreNone) {
  for (const char* line : {"3:cpuset:/", "2:cpuacct:/", "9:name=cpu:/", "5::/", "", ":",
                           "0::", "0::relative", "4:cpu", "4:cpu:"}) {
    EXPECT_EQ(ParseCgroupLine(line).version, CgroupVersion::kNone) << line;
  }
}

TEST(MountinfoLine, TakesCgroupMountsWithAnyNumberOfOptionalFields) {
  for (const char* optional : {"", "shared:1 ", "shared:1 master:2 propagate_from:3 "}) {
    std::string line = std::string("36 35 98:0 /r /m rw,noatime ") + optional;
    std::string v2 = line + "- cgroup2 none rw";  // the views in m point here
    CgroupMount m = ParseMountinfoLine(v2);
    EXPECT_EQ(m.version, CgroupVersion::kV2);
    EXPECT_EQ(m.root, "/r");
    EXPECT_EQ(m.mount_point, "/m");
    EXPECT_EQ(ParseMountinfoLine(line + "- cgroup none rw,cpuacct,cpu").version,
              CgroupVersion::kV1);
    EXPECT_EQ(ParseMountinfoLine(line + "- cgroup none rw,cpuset").version, CgroupVersion::kNone);
    EXPECT_EQ(ParseMountinfoLine(line + "- ext4 /dev/cpu rw,cpu").version, CgroupVersion::kNone);
  }
}

TEST(MountinfoLine, CutOffLinesAreNone) {
  const std::string whole = "36 35 98:0 /r /m rw shared:1 - cgroup2 none rw";
  const size_t type_ends = whole.find(" none");
  for (size_t n = 0; n < type_ends; ++n) {
    EXPECT_EQ(ParseMountinfoLine(std::string_view(whole).substr(0, n)).version,
              CgroupVersion::kNone)
        << n;
  }
}

TEST(CgroupBelow, GivesWhatFollowsTheRoot) {
  std::string_view below = "unset";
  EXPECT_TRUE(CgroupBelow("/", "/", &below));
  EXPECT_EQ(below, "");
  EXPECT_TRUE(CgroupBelow("/a/b", "/", &below));
  EXPECT_EQ(below, "/a/b");
  EXPECT_TRUE(CgroupBelow("/a/b", "/a", &below));
  EXPECT_EQ(below, "/b");
  EXPECT_TRUE(CgroupBelow("/a", "/a", &below));
  EXPECT_EQ(below, "");
  EXPECT_TRUE(CgroupBelow("/..a", "/", &below));
}

TEST(CgroupBelow, RefusesWhatIsOutside) {
  std::string_view below;
  EXPECT_FALSE(CgroupBelow("/ab", "/a", &below));
  EXPECT_FALSE(CgroupBelow("/", "/a", &below));
  EXPECT_FALSE(CgroupBelow("/..", "/", &below));
  EXPECT_FALSE(CgroupBelow("/../b", "/", &below));
  EXPECT_FALSE(CgroupBelow("/", "/..", &below));
}

std::string Unescaped(std::string_view text) {
  char out[64];
  return std::string(out, UnescapeOctal(text, out, sizeof out));
}

TEST(UnescapeOctal, UndoesWholeEscapesAndNothingElse) {
  EXPECT_EQ(Unescaped("/a\\040b\\011\\012\\134"), "/a b\t\n\\");
  EXPECT_EQ(Unescaped("\\04"), "\\04");
  EXPECT_EQ(Unescaped("\\089"), "\\089");
  EXPECT_EQ(Unescaped("\\"), "\\");
  EXPECT_EQ(Unescaped(""), "");
}

TEST(UnescapeOctal, WritesNothingBeyondItsBuffer) {
  char out[4] = {'x', 'x', 'x', 'x'};
  EXPECT_EQ(UnescapeOctal("abcdef", out, 3), 6u);
  EXPECT_EQ(std::string(out, 4), "abcx");
}

TEST(CpuMax, RoundsUpToWholeCpus) {
  EXPECT_EQ(CpusFromCpuMax("100000 100000\n"), 1);
  EXPECT_EQ(CpusFromCpuMax("100001 100000\n"), 2);
  EXPECT_EQ(CpusFromCpuMax("1000 100000"), 1);
  EXPECT_EQ(CpusFromCpuMax("9223372036854775807 1"), INT_MAX);
  EXPECT_EQ(CpusFromCfs("250000\n", "100000\n"), 3);
}

TEST(CpuMax, WhatIsNoQuotaIsNoLimit) {
  for (const char* text : {"max 100000\n", "", "\n", "100000", "100000 0", "0 100000", "-1 100000",
                           "100000 max", "1 2 3", "x y"}) {
    EXPECT_EQ(CpusFromCpuMax(text), 0) << text;
  }
  EXPECT_EQ(CpusFromCfs("-1\n", "100000\n"), 0);
  EXPECT_EQ(CpusFromCfs("100000", ""), 0);
  EXPECT_EQ(CpusFromCfs("", "100000"), 0);
}

}  // namespace
}  // namespace gort::rt
