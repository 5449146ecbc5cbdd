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

// Asks valgrind. Its simulated CPU knows this series of rotations, which add up to two whole turns,
// and the or of a register with itself; for a real one they do nothing.
inline uint64_t AskValgrind(const uint64_t (&request)[6], uint64_t otherwise) {
  register uint64_t answer asm("x3") = otherwise;
  register const uint64_t* at asm("x4") = &request[0];
  asm volatile(
      "ror x12, x12, #3\n\t"
      "ror x12, x12, #13\n\t"
      "ror x12, x12, #51\n\t"
      "ror x12, x12, #61\n\t"
      "orr x10, x10, x10"
      : "+r"(answer)
      : "r"(at)
      : "memory");
  return answer;
}

}  // namespace gort::rt::arch

#endif  // GORT_PLATFORMS_ARCH_ARM64_H_
