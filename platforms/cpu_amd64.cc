// platforms/cpu_amd64.cc: what cpuid says.
#include <cpuid.h>

#include <cstring>

#include "gort/platforms/cpu.h"

namespace gort::rt {

void CpuInit() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  __cpuid(0, a, b, c, d);
  memcpy(cpu_info.vendor, &b, 4);
  memcpy(cpu_info.vendor + 4, &d, 4);
  memcpy(cpu_info.vendor + 8, &c, 4);
  __cpuid(1, a, b, c, d);
  cpu_info.family = a;
  cpu_info.features = (uint64_t{c} << 32) | d;
}

}  // namespace gort::rt
