// gmp/arch_arm64.h: the context switch and the current G on arm64.
// What      what switch_arm64.S and C++ share. For assembly: offsets in a SwitchFrame, each with an
//           assertion below. For C++: the frame itself, how a new context begins, the access to
//           gort_tls_g, and Forget. platforms/PORTING.md has the contract of each.
// Layer     4. Included as "gort/gmp/arch.h".
#ifndef GORT_GMP_ARCH_ARM64_H_
#define GORT_GMP_ARCH_ARM64_H_

#define GORT_FRAME_BYTES 176
#define GORT_FRAME_X29 0
#define GORT_FRAME_X19 16
#define GORT_FRAME_D8 96
#define GORT_FRAME_FPCR 160

#ifndef __ASSEMBLER__

#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"

namespace gort::rt {

struct G;

// What gort_switch pushes, from the stack pointer upwards. switch_arm64.S must agree.
struct SwitchFrame {
  uintptr_t x29;
  uintptr_t pc;  // x30
  uintptr_t x19, x20, x21, x22, x23, x24, x25, x26, x27, x28;
  uint64_t d8, d9, d10, d11, d12, d13, d14, d15;
  uint64_t fpcr;
  uint64_t unused;
};

#define GORT_ASSERT_OFFSET(macro, field) \
  static_assert(macro == offsetof(SwitchFrame, field), "edit " #macro " in gmp/arch_arm64.h")

static_assert(GORT_FRAME_BYTES == sizeof(SwitchFrame), "edit GORT_FRAME_BYTES");
GORT_ASSERT_OFFSET(GORT_FRAME_X29, x29);
GORT_ASSERT_OFFSET(GORT_FRAME_X19, x19);
GORT_ASSERT_OFFSET(GORT_FRAME_D8, d8);
GORT_ASSERT_OFFSET(GORT_FRAME_FPCR, fpcr);

#undef GORT_ASSERT_OFFSET

namespace arch {

// Makes ret the return address of the function that a new context begins with, and returns what is
// left of the stack, which ended at top (16-byte aligned).
inline uintptr_t PushReturn(uintptr_t top, [[maybe_unused]] uintptr_t ret) {
  return top;  // The return address travels in x30: gort_gostart puts it there.
}

// The calling thread's FP control register.
inline uint64_t FpControl() {
  uint64_t fpcr;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  return fpcr;
}
inline void SetFpControl(uint64_t fpcr) { asm volatile("msr fpcr, %0" : : "r"(fpcr)); }

// Fills in the frame of a new context, zeroed, with an FP control register, and with fn and arg where
// gort_gostart finds them.
inline void FillFrame(SwitchFrame* frame, void (*fn)(void*), void* arg, uint64_t fp_control) {
  frame->fpcr = fp_control;
  frame->x19 = reinterpret_cast<uintptr_t>(fn);
  frame->x20 = reinterpret_cast<uintptr_t>(arg);
}

// Reads gort_tls_g in one volatile asm, address computation included: see gmp/getg.h.
GORT_ALWAYS_INLINE G* LoadG() {
  G* gp;
  G** at;
  asm volatile(
      "mrs %0, tpidr_el0\n\t"
      "adrp %1, :gottprel:gort_tls_g\n\t"
      "ldr %1, [%1, #:gottprel_lo12:gort_tls_g]\n\t"
      "ldr %0, [%0, %1]"
      : "=&r"(gp), "=&r"(at));
  return gp;
}

// Writes gort_tls_g, and forgets the thread pointer as Forget would.
GORT_ALWAYS_INLINE void StoreG(G* gp) {
  G** at;
  G** base;
  asm volatile(
      "mrs %0, tpidr_el0\n\t"
      "adrp %1, :gottprel:gort_tls_g\n\t"
      "ldr %1, [%1, #:gottprel_lo12:gort_tls_g]\n\t"
      "str %2, [%0, %1]\n\t"
      "mov %0, xzr"
      : "=&r"(base), "=&r"(at)
      : "r"(gp)
      : "memory");
}

// Zeroes the register that p is in. preempt/thread_registers.cc takes the address of something
// thread-local in a register for one that the goroutine still needs.
template <class T>
GORT_ALWAYS_INLINE void Forget(T* p) {
  asm volatile("mov %0, xzr" : "+r"(p));
}

}  // namespace arch
}  // namespace gort::rt

#endif  // __ASSEMBLER__
#endif  // GORT_GMP_ARCH_ARM64_H_
