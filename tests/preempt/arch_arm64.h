// tests/preempt/arch_arm64.h: the registers of arm64, and the ways to fill them all.
// Layer     tests only. Included as "gort/tests/preempt/arch.h".
#ifndef GORT_TESTS_PREEMPT_ARCH_ARM64_H_
#define GORT_TESTS_PREEMPT_ARCH_ARM64_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gort/tests/preempt/registers.h"

namespace registers {

struct State {
  uint64_t gpr[31];  // x0 ... x30
  uint64_t flags;    // NZCV
  uint64_t fpcr;
  uint64_t fpsr;
  uint64_t unused[2];
  alignas(16) unsigned char v[32][16];
};
static_assert(offsetof(State, flags) == 248 && offsetof(State, fpcr) == 256 &&
              offsetof(State, v) == 288);
// Each needs one register to count with; that one is not kept.
void SpinX28(State* state, uint64_t spins);
void SpinX1(State* state, uint64_t spins);

// See registers.h.
inline int Ways(Way* ways) {
  ways[0] = {"x28", &SpinX28, 16, 32, false, 28};
  ways[1] = {"x1", &SpinX1, 16, 32, false, 1};
  return 2;
}

inline void FixControl(State* s) {
  s->flags &= uint64_t{0xf} << 28;
  s->fpcr &= uint64_t{0x7} << 22;  // rounding, flush to zero
  s->fpsr &= 0x0800001f;
}

inline bool ControlSame(const State& a, const State& b, const Way&) {
  return a.flags == b.flags && a.fpcr == b.fpcr && a.fpsr == b.fpsr;
}

}  // namespace registers

#endif  // GORT_TESTS_PREEMPT_ARCH_ARM64_H_
