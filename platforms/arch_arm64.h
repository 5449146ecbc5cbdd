// platforms/arch_arm64.h: what the CPU does in an instruction or two, on arm64.
// Layer     2. Any stack, any thread. Included as "gort/platforms/arch.h".
#ifndef GORT_PLATFORMS_ARCH_ARM64_H_
#define GORT_PLATFORMS_ARCH_ARM64_H_

#include <cstdint>

// Tests are linked statically (.bazelrc), without a library for held_pthreads.h to stand before.
#define GORT_ARCH_COUNTS_PTHREADS 0

namespace gort::rt::arch {

// Tells the core that it is in a spin loop: about ten nanoseconds.
inline void Pause() { asm volatile("isb" ::: "memory"); }

// The generic timer's count. Not ordered with the instructions around it.
inline int64_t Ticks() {
  int64_t v;
  asm volatile("mrs %0, cntvct_el0" : "=r"(v));
  return v;
}

}  // namespace gort::rt::arch

#endif  // GORT_PLATFORMS_ARCH_ARM64_H_
