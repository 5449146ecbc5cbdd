// platforms/cpu.h: what the CPU is and how many of them there are.
// What      cpuid in words; the number of CPUs by affinity and by cgroup quota; a pause for
//           spinning.
// Layer     2. Any thread; errno is left as it was; nothing is allocated, because the counting
//           runs in osinit, before mallocinit.     Go: rt0_go, getproccount, cgroup_linux.go
#ifndef GORT_PLATFORMS_CPU_H_
#define GORT_PLATFORMS_CPU_H_

#include <cstdint>

#include "gort/platforms/arch.h"

namespace gort::rt {

struct CpuInfo {
  char vendor[13] = {};   // "GenuineIntel", "AuthenticAMD"; "arm64" where there is no such name
  uint32_t family = 0;    // amd64: cpuid leaf 1, eax (stepping, model, family). Seam: metrics
  uint64_t features = 0;  // amd64: leaf 1, ecx in the upper half, edx in the lower. Seam: metrics
};

// Fills cpu_info; called once by RtGo, before it starts a thread. Go: cpuid part of rt0_go, cpuinit.
void CpuInit();
// Constant after CpuInit.
extern CpuInfo cpu_info;

// CPUs in the affinity mask of the calling thread (at start-up: of the process), at least 1.
// Counts up to 65536, as Go does. Go: getproccount (os_linux.go).
int NumCpuAffinity();
// The tightest cgroup CPU quota (v1 and v2, all ancestors), rounded up to whole CPUs; 0: none.
// Reads about ten files: tens of microseconds. Needs 20 KiB of stack. See platforms/cgroup.h.
int NumCpuCgroup();
// A quota counts as so many CPUs at least, because with one P the runtime's own work could not overlap
// the program's.
inline constexpr int kLeastByQuota = 2;
// The default number of Ps: the smaller of affinity and quota (0: none). Only an affinity of 1 gives 1.
// Go: adjustCgroupGOMAXPROCS (cgroup_linux.go, Go 1.25).
constexpr int DefaultProcs(int affinity, int quota) {
  if (quota > 0 && quota < kLeastByQuota) quota = kLeastByQuota;
  return quota > 0 && quota < affinity ? quota : affinity;
}
// The same with the quota that holds now. Where none can change the number, no file is read.
inline int DefaultProcsOf(int affinity) {
  return affinity <= kLeastByQuota ? affinity : DefaultProcs(affinity, NumCpuCgroup());
}
inline int DefaultProcs() { return DefaultProcsOf(NumCpuAffinity()); }

// A hint to the core that this is a spin loop, `cycles` times (tens of nanoseconds each on recent
// x86-64, about ten on arm64). Safe anywhere. Go: procyield.
inline void ProcYield(int cycles) {
  for (int i = 0; i < cycles; ++i) arch::Pause();
}

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_CPU_H_
