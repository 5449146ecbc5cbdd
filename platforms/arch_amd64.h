// platforms/arch_amd64.h: what the CPU does in an instruction or two, on x86-64.
// Layer     2. Any stack, any thread. Included as "gort/platforms/arch.h".
#ifndef GORT_PLATFORMS_ARCH_AMD64_H_
#define GORT_PLATFORMS_ARCH_AMD64_H_

#include <cstdint>

// Programs are linked dynamically, so that platforms/held_pthreads.h can count.
#define GORT_ARCH_COUNTS_PTHREADS 1

namespace gort::rt::arch {

// Tells the core that it is in a spin loop: tens of nanoseconds on recent CPUs.
inline void Pause() { __builtin_ia32_pause(); }

// The TSC. Not ordered with the instructions around it.
inline int64_t Ticks() { return static_cast<int64_t>(__builtin_ia32_rdtsc()); }

}  // namespace gort::rt::arch

#endif  // GORT_PLATFORMS_ARCH_AMD64_H_
