// platforms/linux/cgroup_parse.h: the text formats behind platforms/cgroup.h. See proc(5).
// What      one function per kind of line; each takes text without its newline.
// Layer     2. Pure functions; the views in the results point into the text. Allocates nothing.
#ifndef GORT_PLATFORMS_LINUX_CGROUP_PARSE_H_
#define GORT_PLATFORMS_LINUX_CGROUP_PARSE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gort::rt {

// v1: one hierarchy per controller, files cpu.cfs_quota_us and cpu.cfs_period_us, or pids.max.
// v2: one for all, files cpu.max and pids.max. A system may mount both.
enum class CgroupVersion { kNone, kV1, kV2 };

// A line of /proc/self/cgroup: "hierarchy:controllers:path".
struct CgroupMembership {
  CgroupVersion version = CgroupVersion::kNone;  // kNone: a hierarchy without the controller
  std::string_view path;                         // as this process's cgroup namespace sees it
};
CgroupMembership ParseCgroupLine(std::string_view line, std::string_view controller = "cpu");

// A line of /proc/self/mountinfo. root and mount_point still carry the kernel's escapes.
struct CgroupMount {
  CgroupVersion version = CgroupVersion::kNone;  // kNone: anything else that is mounted
  std::string_view root;                         // the cgroup that mount_point shows
  std::string_view mount_point;
};
CgroupMount ParseMountinfoLine(std::string_view line, std::string_view controller = "cpu");

// What of cgroup path lies below the cgroup root ("" or "/…"), to be put after the mount point.
// False: path is not inside root.
bool CgroupBelow(std::string_view path, std::string_view root, std::string_view* below);

// Writes text with the escapes \ooo (octal: space, tab, newline, backslash) undone to out[0..cap).
// The length; cap or more: it did not fit.
size_t UnescapeOctal(std::string_view text, char* out, size_t cap);

// The text of cpu.max ("200000 100000", "max 100000"): whole CPUs, rounded up. 0: no limit.
int CpusFromCpuMax(std::string_view text);
// The texts of cpu.cfs_quota_us ("-1": no limit) and cpu.cfs_period_us, microseconds.
int CpusFromCfs(std::string_view quota, std::string_view period);

// The text of pids.max ("1000", "max") or of another file with one number. -1: no limit.
int64_t CountFromText(std::string_view text);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_LINUX_CGROUP_PARSE_H_
