// tests/preempt/arch_amd64.h: the registers of x86-64, and the ways to fill them all.
// Layer     tests only. Included as "gort/tests/preempt/arch.h".
#ifndef GORT_TESTS_PREEMPT_ARCH_AMD64_H_
#define GORT_TESTS_PREEMPT_ARCH_AMD64_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gort/tests/preempt/registers.h"

namespace registers {

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

inline constexpr uint64_t kCarry = 1;
inline constexpr uint64_t kDirection = 1 << 10;

// See registers.h.
inline int Ways(Way* ways) {
  int n = 0;
  ways[n++] = {"sse", &SpinSse, 16, 16, false, -1};
  if (__builtin_cpu_supports("avx")) ways[n++] = {"avx", &SpinAvx, 32, 16, false, -1};
  if (__builtin_cpu_supports("avx512bw")) {
    ways[n++] = {"avx512", &SpinAvx512, 64, 32, true, -1};
  }
  return n;
}

// Exceptions masked, no reserved bits.
inline void FixControl(State* s) {
  s->mxcsr = (s->mxcsr & 0xe03f) | 0x1f80;
  s->fpucw = static_cast<uint16_t>((s->fpucw & 0x0c00) | 0x037f);
  for (auto& x : s->x87) {  // normal numbers
    x[7] |= 0x80;
    x[8] = static_cast<unsigned char>(x[8] & 0x7f) | 1;
    x[9] = static_cast<unsigned char>(x[9] & 0xbf) | 0x01;
  }
}

inline bool ControlSame(const State& a, const State& b, const Way& way) {
  if ((b.flags & kCarry) == 0 || (b.flags & kDirection) == 0) return false;
  for (int i = 0; i < 3; ++i) {
    if (memcmp(a.x87[i], b.x87[i], 10) != 0) return false;
  }
  return a.mxcsr == b.mxcsr && a.fpucw == b.fpucw &&
         (!way.masks || memcmp(a.k, b.k, sizeof a.k) == 0);
}

}  // namespace registers

#endif  // GORT_TESTS_PREEMPT_ARCH_AMD64_H_
