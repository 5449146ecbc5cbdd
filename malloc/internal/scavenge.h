// malloc/internal/scavenge.h: giving the memory of free pages back to the OS.
// What      how much there is to give, and giving it piece by piece.
// Policy    pages stay ready for 1/8 of what is in use and 4 MiB more; what is free beyond that is
//           the debt. Two drivers:
//             background  the runtime's monitor thread, after SetBackgroundScavenger(true), calls
//                         ScavengeOne at its own pace while ScavengeDebt() > 0.
//             in passing  without such a thread, a thread that frees pages calls MaybeScavenge. It
//                         releases at most kScavengeStep bytes a time, and only when the debt
//                         exceeds kScavengeSlack.
//           The longest free spans go first, the highest addresses among equals.
// Limit     with SetMemoryLimit the debt is at least what is had of the OS beyond 95 % of the limit, and
//           who takes memory gives as much of what is free back before going on (KeepToMemoryLimit).
//           In use may be more than the limit: nothing fails for its sake.
// Layer     4.                     Go: mgcscavenge.go; differs: no GC cycle to pace by
// Contract  | call            | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | ScavengeDebt    |   x    | x  |  x   |    x    |    x    |   -   |     -     |
//           | ScavengeOne     |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           Takes the locks scavenge, then mheap; madvise(2) runs with the scavenge lock alone.
#ifndef GORT_MALLOC_INTERNAL_SCAVENGE_H_
#define GORT_MALLOC_INTERNAL_SCAVENGE_H_

#include <cstddef>
#include <cstdint>

namespace gort::rt {

inline constexpr size_t kScavengeStep = size_t{16} << 20;   // bytes
inline constexpr size_t kScavengeSlack = size_t{32} << 20;  // bytes

// Bytes of free pages that have memory and should not; never negative. A moment's value.
int64_t ScavengeDebt();

// Releases at most max_bytes (rounded up to one OS page; nothing if <= 0), debt or not. Returns the
// bytes released: fewer, or 0, when no whole OS page that is free has memory, or when the kernel
// refuses. Go: (*pageAlloc).scavenge (mgcscavenge.go).
int64_t ScavengeOne(int64_t max_bytes);

// Releases every free page. Returns bytes. Go: debug.FreeOSMemory (without the collection).
int64_t ScavengeAll();

// Whether somebody calls ScavengeOne from the background; false at the start.
void SetBackgroundScavenger(bool on);

// The driver "in passing". No runtime lock of rank scavenge or inside may be held.
void MaybeScavenge();

inline constexpr int64_t kNoMemoryLimit = INT64_MAX;
// Sets the limit, in bytes, and returns the one before. Any thread.
int64_t SetMemoryLimit(int64_t bytes);
int64_t MemoryLimit();
// Of text as in the variable GOMEMLIMIT: a number of bytes, or of KiB, MiB, GiB, TiB with that (or B)
// behind it, or "off". False: anything else.
bool ParseMemoryLimit(const char* text, int64_t* bytes);

// After memory was taken, with no runtime lock of rank scavenge or inside held: gives memory back
// while more than the limit is had of the OS and some is free.
void KeepToMemoryLimit();

// Bytes released since the start of the process.
uint64_t ScavengedTotal();

// Prints the line of GODEBUG=scavtrace=1 to stderr, unless nothing was released since the last one:
//
//   scav 64 KiB work (bg), 0 KiB work (eager), 512 KiB stacks, 96 KiB total, 80% util
//
// bg and stacks: `pages` bytes of the heap and `stacks` bytes of stacks that the caller, the
// background, has released since the last line. eager: bytes of the heap that others have. total:
// of the heap since the start. util: how much of the heap's memory is in use. One thread at a time.
// Go: printScavTrace (mgcscavenge.go); differs: stacks
void ScavTrace(int64_t pages, int64_t stacks);

// fork(2): see persistentalloc.h.
void ScavengeForkLock();
void ScavengeForkUnlock();

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_SCAVENGE_H_
