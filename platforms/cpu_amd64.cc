// platforms/cpu_amd64.cc: what cpuid says.
#include <cpuid.h>

#include <cstring>

#include "gort/platforms/cpu.h"

namespace gort::rt {

void CpuInit() {
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
}

}  // namespace gort::rt
