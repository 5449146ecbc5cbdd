// platforms/cpu.h: what the CPU is and how many of them there are.
// Layer     2. Any thread.
#ifndef GORT_PLATFORMS_CPU_H_
#define GORT_PLATFORMS_CPU_H_

#include <cstdint>

namespace gort::rt {

struct CpuInfo {
  char vendor[13] = {};      // "GenuineIntel", "AuthenticAMD"; "arm64" where there is no such name
  uint32_t family = 0;       // amd64: cpuid leaf 1, eax
  bool has_xsave = false;    // amd64: XSAVE enabled by the OS
  uint64_t xcr0 = 0;         // amd64: state components the OS enabled
  uint32_t xsave_bytes = 0;  // amd64: XSAVE area for those components
};

// Fills the process-wide description; called once by rt0_go. Go: cpuid part of rt0_go, cpuinit.
void CpuInit();
extern CpuInfo cpu_info;

// CPUs in the affinity mask of the process, at least 1. Go: getproccount.
int NumCpuAffinity();
// The tightest cgroup CPU quota (v1 and v2, all ancestors), rounded up to whole CPUs; 0: none.
int NumCpuCgroup();

// A hint to the core that this is a spin loop, `cycles` times. Go: procyield.
inline void ProcYield(int cycles) {
  for (int i = 0; i < cycles; ++i) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    asm volatile("isb" ::: "memory");
#endif
  }
}

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_CPU_H_
