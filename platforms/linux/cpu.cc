#include "gort/platforms/cpu.h"

#include <sched.h>

#include <cerrno>

#include "gort/platforms/cgroup.h"

namespace gort::rt {

constinit CpuInfo cpu_info;

int NumCpuAffinity() {
  int saved = errno;
  // The kernel rejects a mask smaller than its own; this is large enough for any.
  cpu_set_t set[65536 / CPU_SETSIZE];
  int count = 0;
  if (sched_getaffinity(0, sizeof set, set) == 0) count = CPU_COUNT_S(sizeof set, set);
  errno = saved;
  return count > 0 ? count : 1;
}

int NumCpuCgroup() { return CgroupCpus(""); }

}  // namespace gort::rt
