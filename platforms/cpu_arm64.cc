// platforms/cpu_arm64.cc: there is no instruction that a program may ask for the CPU's name.
#include <cstring>

#include "gort/platforms/cpu.h"

namespace gort::rt {

void CpuInit() { memcpy(cpu_info.vendor, "arm64", 6); }

}  // namespace gort::rt
