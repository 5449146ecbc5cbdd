// gmp/arch_amd64.h: the context switch and the current G on x86-64.
// What      what switch_amd64.S and C++ share. For assembly: offsets in a SwitchFrame, each with an
//           assertion below. For C++: the frame itself, how a new context begins, the access to
//           gort_tls_g, and Forget. platforms/PORTING.md has the contract of each.
// Layer     4. Included as "gort/gmp/arch.h".
#ifndef GORT_GMP_ARCH_AMD64_H_
#define GORT_GMP_ARCH_AMD64_H_

#define GORT_FRAME_BYTES 64
#define GORT_FRAME_MXCSR 0
#define GORT_FRAME_FPUCW 4
#define GORT_FRAME_R15 8
#define GORT_FRAME_R14 16
#define GORT_FRAME_R13 24
#define GORT_FRAME_R12 32
#define GORT_FRAME_RBX 40
#define GORT_FRAME_RBP 48
#define GORT_FRAME_PC 56

#ifndef __ASSEMBLER__

#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"

namespace gort::rt {

struct G;

// What gort_switch pushes, from the stack pointer upwards. switch_amd64.S must agree.
struct SwitchFrame {
  uint32_t mxcsr;
  uint32_t fpucw;
  uintptr_t r15, r14, r13, r12, rbx, rbp;
  uintptr_t pc;  // return address
};

#define GORT_ASSERT_OFFSET(macro, field) \
  static_assert(macro == offsetof(SwitchFrame, field), "edit " #macro " in gmp/arch_amd64.h")

static_assert(GORT_FRAME_BYTES == sizeof(SwitchFrame), "edit GORT_FRAME_BYTES");
GORT_ASSERT_OFFSET(GORT_FRAME_MXCSR, mxcsr);
GORT_ASSERT_OFFSET(GORT_FRAME_FPUCW, fpucw);
GORT_ASSERT_OFFSET(GORT_FRAME_R15, r15);
GORT_ASSERT_OFFSET(GORT_FRAME_R14, r14);
GORT_ASSERT_OFFSET(GORT_FRAME_R13, r13);
GORT_ASSERT_OFFSET(GORT_FRAME_R12, r12);
GORT_ASSERT_OFFSET(GORT_FRAME_RBX, rbx);
GORT_ASSERT_OFFSET(GORT_FRAME_RBP, rbp);
GORT_ASSERT_OFFSET(GORT_FRAME_PC, pc);

#undef GORT_ASSERT_OFFSET

namespace arch {

// Makes ret the return address of the function that a new context begins with, and returns what is
// left of the stack, which ended at top (16-byte aligned).
inline uintptr_t PushReturn(uintptr_t top, uintptr_t ret) {
  // A function finds its return address at the stack pointer, 8 below a multiple of 16.
  top -= 8;
  *reinterpret_cast<uintptr_t*>(top) = ret;
  return top;
}

// The calling thread's FP control words.
inline uint64_t FpControl() {
  uint16_t fpucw;
  asm volatile("fnstcw %0" : "=m"(fpucw));
  return uint64_t{fpucw} << 32 | __builtin_ia32_stmxcsr();
}
inline void SetFpControl(uint64_t words) {
  const auto fpucw = static_cast<uint16_t>(words >> 32);
  asm volatile("fldcw %0" : : "m"(fpucw));
  __builtin_ia32_ldmxcsr(static_cast<uint32_t>(words));
}

// Fills in the frame of a new context, zeroed, with FP control words, and with fn and arg where
// gort_gostart finds them.
inline void FillFrame(SwitchFrame* frame, void (*fn)(void*), void* arg, uint64_t fp_control) {
  frame->mxcsr = static_cast<uint32_t>(fp_control);
  frame->fpucw = static_cast<uint32_t>(fp_control >> 32);
  frame->r12 = reinterpret_cast<uintptr_t>(fn);
  frame->r13 = reinterpret_cast<uintptr_t>(arg);
}

// Reads gort_tls_g in one volatile asm, address computation included: see gmp/getg.h.
GORT_ALWAYS_INLINE G* LoadG() {
  G* gp;
  asm volatile(
      "movq gort_tls_g@gottpoff(%%rip), %0\n\t"
      "movq %%fs:(%0), %0"
      : "=r"(gp));
  return gp;
}

// Writes gort_tls_g. The scratch register is left with the variable's offset, not its address.
GORT_ALWAYS_INLINE void StoreG(G* gp) {
  G** at;
  asm volatile(
      "movq gort_tls_g@gottpoff(%%rip), %0\n\t"
      "movq %1, %%fs:(%0)"
      : "=&r"(at)
      : "r"(gp)
      : "memory");
}

// Zeroes the register that p is in. preempt/thread_registers.cc takes the address of something
// thread-local in a register for one that the goroutine still needs.
template <class T>
GORT_ALWAYS_INLINE void Forget(T* p) {
  asm volatile("xorl %k0, %k0" : "+r"(p) : : "cc");
}

}  // namespace arch
}  // namespace gort::rt

#endif  // __ASSEMBLER__
#endif  // GORT_GMP_ARCH_AMD64_H_
