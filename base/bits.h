// base/bits.h: small integer arithmetic on sizes and addresses.
// What      rounding to powers of two, logarithms. constexpr, no state.
// Layer     1. Pure functions: any thread, any stack, signal handlers.
// Contract  arguments outside of what each function states give a wrong number, never a trap.
#ifndef GORT_BASE_BITS_H_
#define GORT_BASE_BITS_H_

#include <bit>
#include <cstddef>
#include <cstdint>

namespace gort::rt {

// The smallest multiple of align >= n. Requires: align is a power of two, n + align - 1 does not
// overflow (it wraps to 0 otherwise). Go: alignUp (stubs.go).
constexpr size_t AlignUp(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }
// The greatest multiple of align <= n. Requires: align is a power of two. Go: alignDown (stubs.go).
constexpr size_t AlignDown(size_t n, size_t align) { return n & ~(align - 1); }
// n is a multiple of align. Requires: align is a power of two.
constexpr bool IsAligned(size_t n, size_t align) { return (n & (align - 1)) == 0; }
// False for 0.
constexpr bool IsPowerOfTwo(size_t n) { return std::has_single_bit(n); }

// Floor of log2(n). -1 for 0.
constexpr int Log2Floor(size_t n) { return static_cast<int>(std::bit_width(n)) - 1; }
// Ceiling of log2(n). 0 for 0 and for 1.
constexpr int Log2Ceil(size_t n) { return n <= 1 ? 0 : static_cast<int>(std::bit_width(n - 1)); }

}  // namespace gort::rt

#endif  // GORT_BASE_BITS_H_
