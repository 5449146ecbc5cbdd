// tests/preempt/registers.h: every register at once, for a while.
// What      Spin* load all registers from State, count `spins` down in memory below the stack
//           pointer (amd64: in the red zone) or on the stack, and store all registers to State
//           again. Written in assembly under C++ names, so that they are user code like any other.
// Layer     tests only.
#ifndef GORT_TESTS_PREEMPT_REGISTERS_H_
#define GORT_TESTS_PREEMPT_REGISTERS_H_

#include <cstddef>
#include <cstdint>

namespace registers {

#if defined(__x86_64__)
struct State {
  uint64_t gpr[15];  // rax rbx rcx rdx rsi rdi rbp r8 ... r15
  uint64_t flags;    // in: ignored; out: with carry and direction, which Spin* set
  uint32_t mxcsr;
  uint16_t fpucw;
  uint16_t unused;
  uint64_t k[8];
  unsigned char x87[3][16];  // extended, 10 bytes each
  alignas(64) unsigned char v[32][64];
};
static_assert(offsetof(State, flags) == 120 && offsetof(State, mxcsr) == 128 &&
              offsetof(State, fpucw) == 132 && offsetof(State, k) == 136 &&
              offsetof(State, x87) == 200 && offsetof(State, v) == 256);
void SpinSse(State* state, uint64_t spins);     // 16 bytes of v[0..15]
void SpinAvx(State* state, uint64_t spins);     // 32 bytes of v[0..15]
void SpinAvx512(State* state, uint64_t spins);  // 64 bytes of v[0..31], and k
#else
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
#endif

}  // namespace registers

#endif  // GORT_TESTS_PREEMPT_REGISTERS_H_
