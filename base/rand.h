// base/rand.h: a fast, seedable, non-cryptographic random number generator.
// What      one 64-bit state, one 64x64 -> 128 bit multiplication a draw (Wang Yi's wyrand).
// Layer     1. Any stack. Not thread-safe: each has one owner.
// Contract  the same seed gives the same sequence on every CPU. Every seed is good, 0 included.
//           Never for secrets: hash seeds come from the kernel.             Go: cheaprand, wyrand
#ifndef GORT_BASE_RAND_H_
#define GORT_BASE_RAND_H_

#include <cstdint>

namespace gort::rt {

class FastRand {
 public:
  constexpr FastRand() = default;
  constexpr explicit FastRand(uint64_t seed) : state_(seed) {}

  constexpr void Seed(uint64_t seed) { state_ = seed; }

  // Any 64-bit number, nearly uniform; the state's period is 2^64.
  constexpr uint64_t Next64() {
    state_ += 0xa0761d6478bd642fULL;
    unsigned __int128 m = static_cast<unsigned __int128>(state_) * (state_ ^ 0xe7037ed1a0b428dbULL);
    return static_cast<uint64_t>(m >> 64) ^ static_cast<uint64_t>(m);
  }
  // Any 32-bit number, likewise. Go: cheaprand (rand.go).
  constexpr uint32_t Next() { return static_cast<uint32_t>(Next64()); }

  // In [0, n), with a further bias below n / 2^32 (Lemire's multiply-shift). 0 for n = 0.
  // Go: cheaprandn (rand.go).
  constexpr uint32_t N(uint32_t n) { return static_cast<uint32_t>((uint64_t{Next()} * n) >> 32); }

 private:
  uint64_t state_ = 1;
};

}  // namespace gort::rt

#endif  // GORT_BASE_RAND_H_
