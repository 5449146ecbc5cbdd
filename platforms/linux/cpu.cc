#include "gort/platforms/cpu.h"

#include <sched.h>

#include <cerrno>
#include <cstring>

#include "gort/platforms/cgroup.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace gort::rt {

constinit CpuInfo cpu_info;

void CpuInit() {
#if defined(__x86_64__)
  uint32_t a = 0, b = 0, c = 0, d = 0;
  __cpuid(0, a, b, c, d);
  const uint32_t max_leaf = a;
  memcpy(cpu_info.vendor, &b, 4);
  memcpy(cpu_info.vendor + 4, &d, 4);
  memcpy(cpu_info.vendor + 8, &c, 4);
  __cpuid(1, a, b, c, d);
  cpu_info.family = a;
  cpu_info.has_xsave = (c & bit_OSXSAVE) != 0 && max_leaf >= 0xd;
  if (cpu_info.has_xsave) {
    uint32_t lo = 0, hi = 0;
    asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    cpu_info.xcr0 = (uint64_t{hi} << 32) | lo;
    __cpuid_count(0xd, 0, a, b, c, d);
    cpu_info.xsave_bytes = b;
  }
#else
  memcpy(cpu_info.vendor, "arm64", 6);
#endif
}

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
