// stack/internal/stack_layout.h: the numbers that goroutine stacks are made of.
// What      one table for every operating system that Go names, and the sizes that are C++'s own.
// Layer     5. Constants only; bytes unless the name says otherwise.       Go: stack.go, malloc.go
// Size      a stack's size is that of its reservation, guard and colour included: addresses are
//           cheap, memory is taken page by page on first touch.
#ifndef GORT_STACK_INTERNAL_STACK_LAYOUT_H_
#define GORT_STACK_INTERNAL_STACK_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"

namespace gort::rt {

enum class StackOs { kLinux, kDarwin, kBsd, kWindows32, kWindows64, kPlan9 };

// Small stacks come in sizes fixed, 2 * fixed, … fixed << (orders - 1). Go: fixedStack,
// _NumStackOrders (differ per OS by _StackSystem and by what one span should hold).
struct StackLayout {
  StackOs os;
  size_t fixed_stack;
  int orders;
};

inline constexpr StackLayout kStackLayouts[] = {
    {StackOs::kLinux, 2048, 4},     {StackOs::kDarwin, 2048, 4},    {StackOs::kBsd, 2048, 4},
    {StackOs::kWindows32, 4096, 3}, {StackOs::kWindows64, 8192, 2}, {StackOs::kPlan9, 4096, 2},
};

// Every port so far is for Linux; the first for another system makes this platforms/' answer.
inline constexpr StackOs kStackOs = StackOs::kLinux;

constexpr StackLayout StackLayoutOf(StackOs os) {
  for (const StackLayout& l : kStackLayouts) {
    if (l.os == os) return l;
  }
  return kStackLayouts[0];
}

inline constexpr size_t kFixedStack = StackLayoutOf(kStackOs).fixed_stack;
inline constexpr int kStackOrders = StackLayoutOf(kStackOs).orders;

// From here on stacks are large: of their own pages, guarded, in free lists by log2(pages).
inline constexpr size_t kMinLargeStack = size_t{32} << 10;
inline constexpr size_t kMaxLargeStack = size_t{1} << 30;
inline constexpr int kLargeOrders = Log2Floor(kMaxLargeStack / kMinLargeStack) + 1;
// The largest small stack; what lies between the two is rounded up to the smallest large one.
inline constexpr size_t kMaxSmallStack = kFixedStack << (kStackOrders - 1);
static_assert(kMaxSmallStack < kMinLargeStack);
// At the low end of a small stack in use, in place of a guard (stack_pool.h).
inline constexpr size_t kSmallCanaryBytes = 64;

// Bytes of small stacks that a P's cache holds per order before it gives half back, and bytes of
// the spans that small stacks are cut from. Go's figure is 32 KiB; differs: 64 KiB, because it must
// be a multiple of the OS page, and that is 64 KiB on some arm64 machines. StackInit checks it.
// Go: _StackCacheSize
inline constexpr size_t kStackCacheBytes = size_t{64} << 10;

// A goroutine's stack unless its creator asked for another. Sanitizers' frames are larger.
inline constexpr size_t kDefaultStack = size_t{GORT_ASAN ? 1024 : 256} << 10;
// The main goroutine's: what an ordinary C++ program finds under `ulimit -s`.
inline constexpr size_t kMainStack = size_t{8} << 20;
// What a program may ask for at most: 1 GB on 64-bit, 250 MB on 32-bit, decimal. Go: maxstacksize
inline constexpr size_t kMaxStackBytes = sizeof(void*) == 8 ? 1'000'000'000 : 250'000'000;

// Large stacks' tops are lowered by 0, 64, … 960 bytes, by turns (see stack_chunk.h, Colour).
inline constexpr uint32_t kStackColours = 16;
inline constexpr size_t kStackColourBytes = 64;
inline constexpr size_t kMaxStackColour = (kStackColours - 1) * kStackColourBytes;

// Bytes of the guard at the low end of a large stack: a quarter of the reservation up to 1 MiB, and
// a page at least. Costs no memory: its entries lie in page tables that the stack's top needs. The
// default stack has 64 KiB, which is how far apart arm64's compilers touch a large frame
// (-fstack-clash-protection), so that such a frame cannot step over the guard.
inline constexpr size_t kMaxStackGuard = size_t{1} << 20;
constexpr size_t StackGuardBytes(size_t reservation, size_t page) {
  size_t n = reservation / 4;
  if (n > kMaxStackGuard) n = kMaxStackGuard;
  return n < page ? page : AlignUp(n, page);
}
static_assert(StackGuardBytes(kDefaultStack, 4096) >= size_t{64} << 10);

// At least so many bytes below the lowest stack of a chunk are inaccessible, its guard included, before
// the chunk's record: no frame up to this size steps over them, whatever it touches. Of the small
// chunks that are made where addresses are scarce it is a part.
constexpr size_t RecordGap(size_t chunk_bytes) {
  return chunk_bytes / 32 < kMaxStackGuard ? chunk_bytes / 32 : kMaxStackGuard;
}

// Bytes below a stack that a canary keeps watch on, at most: they are read at each switch.
inline constexpr size_t kMaxCanaryBytes = size_t{16} << 10;

// The smallest large stack: a guard must leave more than half of it, also where pages are large.
constexpr size_t LeastLargeStack(size_t page) {
  return 4 * page > kMinLargeStack ? 4 * page : kMinLargeStack;
}

// What to ask StackAlloc for so that at least `usable` bytes lie between lo and hi.
constexpr size_t StackReservation(size_t usable, size_t page) {
  if (usable >= kMaxLargeStack) return kMaxLargeStack + 1;  // StackAlloc refuses
  size_t n = LeastLargeStack(page);
  while (n - StackGuardBytes(n, page) - kMaxStackColour < usable) n *= 2;
  return n;
}

}  // namespace gort::rt

#endif  // GORT_STACK_INTERNAL_STACK_LAYOUT_H_
