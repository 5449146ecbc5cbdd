// stack/internal/stack_alloc.h: stacks for goroutines.
// What      a stack is a reservation with a guard below it (guard.h), committed page by page as it
//           is touched, and never moves. Small ones come from the pool (stack_pool.h), large ones
//           from chunks (stack_chunk.h); a P keeps a few of both for itself (StackCache).
//           Memory of free stacks goes back to the OS by StackScavenge.
// Layer     5.                                              Go: stackalloc, stackfree in stack.go
// Invariant a stack in use is in no free set; a stack's guard is in place before StackAlloc returns
//           it and while it is cached.
// Contract  | call               | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | StackAlloc, Free   |   x    | x  |  x   |    -    |    x    |   -   |  from OS  |
//           | StackCacheFlush    |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | StackScavenge,Sweep|   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | StackCanaryOk, Find|   x    | x  |  x   |    x    |    x    |   -   |     -     |
//           A StackCache is its owner P's alone. Locks taken: stackpool, stacklarge, persistent.
#ifndef GORT_STACK_INTERNAL_STACK_ALLOC_H_
#define GORT_STACK_INTERNAL_STACK_ALLOC_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/stack/internal/guard.h"
#include "gort/stack/internal/stack_layout.h"

namespace gort::rt {

// What a P keeps. Go: stackcache in mcache.
struct StackCache;

// Checks the constants (fatal "cache size must be a multiple of page size") and chooses the guard
// by godebug.stackguard. Called by schedinit; without it the first use does the same. Go: stackinit
void StackInit();

// Takes a stack whose reservation (guard and colour included) is bytes rounded up to a power of
// two; 0: kDefaultStack. cache: of the P that the caller owns, or null. The content is undefined.
// {0, 0}: more than kMaxLargeStack was asked for, or the OS has no address space left.
// For a given number of usable bytes ask for StackReservation(n, PageSize()). Below kMinLargeStack
// there is no guard page, only a canary. Go: stackalloc
StackBounds StackAlloc(size_t bytes, StackCache* cache);
// Gives it back; nothing may use it any more. Fatal: not a stack of ours, freed twice, or
// overflowed (canary). Go: stackfree
void StackFree(StackBounds stack, StackCache* cache);
// Bytes that StackAlloc was asked for, rounded up: the reservation that a report names.
// 0: not a stack of ours.
size_t StackReservationOf(StackBounds stack);

// Whether the next stack of default size from the cache has been in use, so that to take and to touch it needs
// neither a call of the kernel nor a page fault, as a rule. Owner P.
bool StackIsWarm(const StackCache* cache);

// An empty cache for a P; never freed. Go: mcache.stackcache
StackCache* AllocStackCache();
// Empties the cache of a P that goes away. Go: stackcache_clear
void StackCacheFlush(StackCache* cache);

// ---- memory ----

// Gives the memory of free stacks that have been free for at least older_than_ns nanoseconds
// (0: of all) back to the OS, up to max_bytes of address space and at least one chunk's, neighbours
// in one call; goes on next time where it stopped. Ages are taken at calls: a stack goes between
// older_than_ns and twice that, plus a call's distance, after it was freed. Returns the bytes of
// address space whose memory went. Stacks in Ps' caches stay. Only one thread at a time does any
// work; others return 0. Measured (Linux 6.18, 2 CPUs): see stack/README.md.
int64_t StackScavenge(int64_t max_bytes, int64_t older_than_ns);
// The same for who must not be away for long: goes once over all chunks, in portions. A portion
// ends with the first chunk (64 MiB of address space) after `deadline`, a value of Nanotime; adds
// what it gave back to *bytes. True: call again, to go on; the call after that begins a new sweep.
bool StackSweep(int64_t older_than_ns, int64_t deadline, int64_t* bytes);
// Address space of free stacks whose memory StackScavenge has still to give back; 0: nothing to do
// until a stack is freed.
int64_t StackScavengeDebt();

// ---- guards ----

// True while some stack has only a canary: the scheduler then asks StackCanaryOk at each switch.
inline bool StackCanaryMode() { return GuardCount(GuardKind::kCanary) != 0; }
// False when gp has overflowed a stack that only a canary protects. True for anything else.
bool StackCanaryOk(const G* gp);

struct StackInfo {
  StackBounds stack;
  GuardKind guard = GuardKind::kNone;  // Seam: the page of goroutines, which names each one's guard
  bool in_guard = false;               // the address is below stack.lo
};
// Finds the large stack in whose reservation addr lies. False: none. Async-signal-safe.
bool StackFind(uintptr_t addr, StackInfo* out);

struct StackStats {
  int64_t guards_kernel = 0;  // stacks, in use or cached, that each kind protects
  int64_t guards_mprotect = 0;
  int64_t guards_canary = 0;
  int64_t mprotect_budget = 0;  // stacks that mprotect may still guard. Seam: metrics
  int64_t reserved_bytes = 0;   // address space from the OS
  int64_t inuse_bytes = 0;      // address space of stacks in use, Ps' caches and spans included
  int64_t cached_bytes = 0;     // address space of free stacks that may hold memory
  int64_t released_bytes = 0;   // address space whose memory was given back, since the start
};
StackStats ReadStackStats();

}  // namespace gort::rt

#endif  // GORT_STACK_INTERNAL_STACK_ALLOC_H_
