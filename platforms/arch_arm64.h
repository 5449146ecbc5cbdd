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

// Adds n to the int32_t at this offset in gort_tls_pins, in one volatile asm, address computation
// included (gort/platforms/pins.h). A signal may divide it; the thread stays the same, because the
// address is in a register (preempt/thread_registers.h), which is zeroed at the end.
template <int kOffset>
[[gnu::always_inline]] inline void AddToPins(int32_t n) {
  uintptr_t base;
  uintptr_t at;
  asm volatile(
      "mrs %0, tpidr_el0\n\t"
      "adrp %1, :gottprel:gort_tls_pins\n\t"
      "ldr %1, [%1, #:gottprel_lo12:gort_tls_pins]\n\t"
      "add %0, %0, %1\n\t"
      "add %0, %0, %3\n\t"
      "ldr %w1, [%0]\n\t"
      "add %w1, %w1, %w2\n\t"
      "stlr %w1, [%0]\n\t"  // what came before is seen by who sees the count
      "mov %0, xzr"
      : "=&r"(base), "=&r"(at)
      : "r"(n), "i"(kOffset)
      : "memory");
}

// Reads the int32_t at this offset in gort_tls_pins.
template <int kOffset>
[[gnu::always_inline]] inline int32_t LoadPins() {
  uintptr_t base;
  uintptr_t at;
  asm volatile(
      "mrs %0, tpidr_el0\n\t"
      "adrp %1, :gottprel:gort_tls_pins\n\t"
      "ldr %1, [%1, #:gottprel_lo12:gort_tls_pins]\n\t"
      "add %0, %0, %1\n\t"
      "ldr %w1, [%0, %2]\n\t"
      "mov %0, xzr"
      : "=&r"(base), "=&r"(at)
      : "i"(kOffset)
      : "memory");
  return static_cast<int32_t>(at);
}

// Writes it.
template <int kOffset>
[[gnu::always_inline]] inline void StorePins(int32_t n) {
  uintptr_t base;
  uintptr_t at;
  asm volatile(
      "mrs %0, tpidr_el0\n\t"
      "adrp %1, :gottprel:gort_tls_pins\n\t"
      "ldr %1, [%1, #:gottprel_lo12:gort_tls_pins]\n\t"
      "add %0, %0, %1\n\t"
      "str %w2, [%0, %3]\n\t"
      "mov %0, xzr"
      : "=&r"(base), "=&r"(at)
      : "r"(n), "i"(kOffset)
      : "memory");
}

// As StorePins; what comes before it is seen by who sees the value.
template <int kOffset>
[[gnu::always_inline]] inline void PutPinsBack(int32_t n) {
  uintptr_t base;
  uintptr_t at;
  asm volatile(
      "mrs %0, tpidr_el0\n\t"
      "adrp %1, :gottprel:gort_tls_pins\n\t"
      "ldr %1, [%1, #:gottprel_lo12:gort_tls_pins]\n\t"
      "add %0, %0, %1\n\t"
      "add %0, %0, %3\n\t"
      "stlr %w2, [%0]\n\t"
      "mov %0, xzr"
      : "=&r"(base), "=&r"(at)
      : "r"(n), "i"(kOffset)
      : "memory");
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
