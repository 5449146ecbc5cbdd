// platforms/cgroup.h: how much CPU time and how many threads the process's control groups allow.
// What      the limit on tasks (pids.max), and the CPU bandwidth limit (quota per period) of the
//           groups that hold the process, v1 and v2, this one and all its ancestors that can be
//           seen: the tightest one counts, because the kernel throttles at every level. See
//           cgroups(7), sched-bwc in the kernel's documentation.
// Layer     2. Any thread; allocates nothing; errno is left as it was. Needs 20 KiB of stack.
// Errors    none: whatever cannot be read or understood is taken for "no limit".
// Go        internal/runtime/cgroup; differs: Go reads the innermost group alone.
#ifndef GORT_PLATFORMS_CGROUP_H_
#define GORT_PLATFORMS_CGROUP_H_

#include <cstdint>

namespace gort::rt {

// The tightest limit in whole CPUs, rounded up (so at least 1); 0: none. Reads the files anew each
// time: a limit may change, and the process may be moved. root is put before every path that is
// opened: "" for the system's own, a directory with a copy of its files for tests.
int CgroupCpus(const char* root);

// The tightest limit on tasks, which are threads of all processes in the group; INT64_MAX: none.
int64_t CgroupPids(const char* root);

// The same for the whole system (/proc/sys/kernel/threads-max).
int64_t SystemThreads(const char* root);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_CGROUP_H_
