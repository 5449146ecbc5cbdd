// gort/stack/stack.h: guarded stacks for anybody's coroutines.
// What      a stack is a reservation of address space with a guard below it, committed page by page
//           as it is touched, and cheap to take and give back: guards stay in place in between.
//           1,000,000 of them need fewer than 300 memory mappings on Linux 6.13 or newer.
// Use       needs no scheduler and no initialisation: link @gort//stack.
// Contract  any thread, at any time; not in signal handlers. Alloc and Free do not block for long.
#ifndef GORT_STACK_STACK_H_
#define GORT_STACK_STACK_H_

#include <cstddef>
#include <cstdint>

namespace gort::stack {

// The usable bytes [lo, hi); hi is a multiple of 16, and a stack grows down from it. Touching the
// bytes just below lo faults (SIGSEGV) where the system provides for it; where its resources are
// exhausted or it cannot, they are a canary, which Free checks.
struct Stack {
  char* lo = nullptr;
  char* hi = nullptr;

  size_t size() const { return static_cast<size_t>(hi - lo); }
  explicit operator bool() const { return lo != nullptr; }
};

// What shall tell of an overflow.
enum class Guard {
  kPage,    // a fault; a stack then takes 32 KiB of address space at least
  kCanary,  // Free alone, too late to save what lay below: for code whose depth is known
};

// Takes a stack of at least `bytes` usable bytes; 0: of a size that suits most (somewhat below
// 192 KiB). The content is undefined. With Guard::kCanary a stack of up to kMaxSmall bytes takes
// 2, 4, 8 or 16 KiB and shares its pages with others; a larger one is as with Guard::kPage. An
// empty Stack when bytes is above what a stack can have (just below 1 GiB) or the system has no
// address space left.
inline constexpr size_t kMaxSmall = (size_t{16} << 10) - 64;
Stack Alloc(size_t bytes, Guard guard = Guard::kPage);

// Gives a stack back, from any thread; nothing may use it any more. An empty one: nothing happens.
// What is not a stack of Alloc's, was freed already or has overflowed ends the process ("fatal
// error: …", status 2).
void Free(Stack stack);

// Gives the memory of stacks that are free back to the system, all of it; their address space and
// guards stay. Returns bytes of address space.
size_t Release();

// A moment's numbers, in stacks and bytes of address space.
struct Stats {
  int64_t guarded_by_kernel = 0;  // stacks, in use or kept, by what protects them: a guard marker,
  int64_t guarded_by_mprotect = 0;  // a mapping without access,
  int64_t guarded_by_canary = 0;    // a check when they are freed
  int64_t reserved_bytes = 0;       // taken from the system
  int64_t inuse_bytes = 0;          // of stacks in use
  int64_t cached_bytes = 0;         // of free ones that may hold memory
  int64_t released_bytes = 0;       // whose memory was given back since the start
};
Stats ReadStats();

}  // namespace gort::stack

#endif  // GORT_STACK_STACK_H_
