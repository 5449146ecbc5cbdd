// platforms/auxv.h: the kernel's auxiliary vector. See getauxval(3).
// Layer     2. Any thread, any stack.
#ifndef GORT_PLATFORMS_AUXV_H_
#define GORT_PLATFORMS_AUXV_H_

#include <cstdint>

namespace gort::rt {

enum class AuxKey { kPageSize, kRandom, kMinSigStackSize, kHwcap };

// 0 when the kernel gave no such entry. kRandom is the address of 16 random bytes.
uintptr_t GetAuxval(AuxKey key);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_AUXV_H_
