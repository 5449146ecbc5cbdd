// base/bits.h: small integer arithmetic on sizes and addresses.
// Layer     1. Pure functions, callable from anywhere.
#ifndef GORT_BASE_BITS_H_
#define GORT_BASE_BITS_H_

#include <bit>
#include <cstddef>
#include <cstdint>

namespace gort::rt {

// Rounds n up to a multiple of align (a power of two). n + align must not overflow.
constexpr size_t AlignUp(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }
constexpr size_t AlignDown(size_t n, size_t align) { return n & ~(align - 1); }
constexpr bool IsAligned(size_t n, size_t align) { return (n & (align - 1)) == 0; }
constexpr bool IsPowerOfTwo(size_t n) { return std::has_single_bit(n); }

// Floor of log2(n); n > 0.
constexpr int Log2Floor(size_t n) { return static_cast<int>(std::bit_width(n)) - 1; }
// Ceiling of log2(n); n > 0.
constexpr int Log2Ceil(size_t n) { return n <= 1 ? 0 : static_cast<int>(std::bit_width(n - 1)); }

}  // namespace gort::rt

#endif  // GORT_BASE_BITS_H_
