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

// Adds n to the int32_t at this offset in gort_tls_pins, in one instruction that no signal divides
// and in one volatile asm, address computation included (gort/platforms/pins.h).
template <int kOffset>
[[gnu::always_inline]] inline void AddToPins(int32_t n) {
  uintptr_t at;
  asm volatile(
      "movq gort_tls_pins@gottpoff(%%rip), %0\n\t"
      "addl %1, %%fs:%c2(%0)"
      : "=&r"(at)
      : "ri"(n), "i"(kOffset)
      : "memory", "cc");
}

// Reads the int32_t at this offset in gort_tls_pins.
template <int kOffset>
[[gnu::always_inline]] inline int32_t LoadPins() {
  uintptr_t value;
  asm volatile(
      "movq gort_tls_pins@gottpoff(%%rip), %0\n\t"
      "movl %%fs:%c1(%0), %k0"
      : "=&r"(value)
      : "i"(kOffset)
      : "memory");
  return static_cast<int32_t>(value);
}

// Writes it.
template <int kOffset>
[[gnu::always_inline]] inline void StorePins(int32_t n) {
  uintptr_t at;
  asm volatile(
      "movq gort_tls_pins@gottpoff(%%rip), %0\n\t"
      "movl %1, %%fs:%c2(%0)"
      : "=&r"(at)
      : "ri"(n), "i"(kOffset)
      : "memory");
}

// As StorePins; what comes before it is seen by who sees the value.
template <int kOffset>
[[gnu::always_inline]] inline void PutPinsBack(int32_t n) {
  StorePins<kOffset>(n);
}

// Asks valgrind. Its simulated CPU knows this series of rotations, which add up to two whole turns,
// and the exchange of a register with itself; for a real one they do nothing.
inline uint64_t AskValgrind(const uint64_t (&request)[6], uint64_t otherwise) {
  uint64_t answer = otherwise;
  asm volatile(
      "rolq $3, %%rdi\n\t"
      "rolq $13, %%rdi\n\t"
      "rolq $61, %%rdi\n\t"
      "rolq $51, %%rdi\n\t"
      "xchgq %%rbx, %%rbx"
      : "+d"(answer)
      : "a"(&request[0])
      : "cc", "memory");
  return answer;
}

}  // namespace gort::rt::arch

#endif  // GORT_PLATFORMS_ARCH_AMD64_H_
