// platforms/auxv.h: what the kernel tells a new process about itself. See getauxval(3).
// Layer     2. Any thread, any stack, signal handlers; errno is left as it was.
//           Go: sysauxv (os_linux.go)
#ifndef GORT_PLATFORMS_AUXV_H_
#define GORT_PLATFORMS_AUXV_H_

#include <cstdint>

namespace gort::rt {

enum class AuxKey {
  kPageSize,         // bytes
  kRandom,           // address of 16 random bytes
  kMinSigStackSize,  // bytes of the kernel's signal frame (x86-64: none before Linux 5.14)
  kPhdr,             // address of the program's ELF program headers
  kPhnum,            // how many there are
  kHwcap,            // CPU features, a bit set of the CPU's own
  kExecName,         // address of the program's file name, the highest string on the first stack
};

// 0 when the kernel, or an emulator, gave no such entry.
uintptr_t GetAuxval(AuxKey key);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_AUXV_H_
