// gmp/gobuf.h: a saved context.
// What      gort_switch pushes everything that belongs to a context on its own stack (SwitchFrame)
//           and leaves the stack pointer in a Gobuf. So a context costs one word beside its stack.
// Layer     4.                                        Go: gobuf in runtime2.go; differs: pc, bp and
//           the rest lie on the stack, where the unwinder finds them too.
#ifndef GORT_GMP_GOBUF_H_
#define GORT_GMP_GOBUF_H_

#include <cstdint>

namespace gort::rt {

struct Gobuf {
  uintptr_t sp = 0;  // lowest byte of a SwitchFrame; 0: nothing saved
};

#if defined(__x86_64__)
// What gort_switch pushes, from the stack pointer upwards. gmp/switch_amd64.S must agree.
struct SwitchFrame {
  uint32_t mxcsr;
  uint32_t fpucw;
  uintptr_t r15, r14, r13, r12, rbx, rbp;
  uintptr_t pc;  // return address
  uintptr_t fp() const { return rbp; }
};
static_assert(sizeof(SwitchFrame) == 64, "edit GORT_FRAME_BYTES in gmp/asm_offsets.h");
#elif defined(__aarch64__)
struct SwitchFrame {
  uintptr_t x29;
  uintptr_t pc;  // x30
  uintptr_t x19, x20, x21, x22, x23, x24, x25, x26, x27, x28;
  uint64_t d8, d9, d10, d11, d12, d13, d14, d15;
  uint64_t fpcr;
  uint64_t unused;
  uintptr_t fp() const { return x29; }
};
static_assert(sizeof(SwitchFrame) == 176, "edit GORT_FRAME_BYTES in gmp/asm_offsets.h");
#endif

inline const SwitchFrame* FrameOf(const Gobuf& buf) {
  return reinterpret_cast<const SwitchFrame*>(buf.sp);
}

}  // namespace gort::rt

#endif  // GORT_GMP_GOBUF_H_
