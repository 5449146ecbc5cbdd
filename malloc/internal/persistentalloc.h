// malloc/internal/persistentalloc.h: memory for the runtime's own objects that is never given back.
// What      bump allocation from chunks of kPersistentChunk bytes taken straight from the OS. The
//           lowest allocator of all: fixalloc, span records and the page map stand on it.
// Layer     4.                                              Go: persistentalloc (malloc.go)
// Errors    the OS has no memory: null from TryPersistentAlloc, fatal "out of memory (the runtime's
//           records)" from PersistentAlloc. align that is not a power of two or above the OS page
//           size: fatal "persistentalloc: bad alignment".
// Contract  | call               | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | PersistentAlloc    |   x    | x  |  x   |    -    |    x    |   -   | from OS   |
//           | PersistentAllocated|   x    | x  |  x   |    x    |    x    |   -   |    -      |
//           Takes a lock of rank persistent, the innermost: any runtime lock may be held.
#ifndef GORT_MALLOC_INTERNAL_PERSISTENTALLOC_H_
#define GORT_MALLOC_INTERNAL_PERSISTENTALLOC_H_

#include <cstddef>
#include <cstdint>

namespace gort::rt {

// Bytes asked of the OS at a time; requests of a quarter of it and more get a mapping of their own.
inline constexpr size_t kPersistentChunk = size_t{256} << 10;

// Returns bytes zeroed bytes, aligned to align (0: to a pointer), owned by the caller for ever.
// Never null. bytes > 0. Go: persistentalloc (malloc.go).
void* PersistentAlloc(size_t bytes, size_t align);

// The same for a caller that can do without: null when the OS has no memory.
void* TryPersistentAlloc(size_t bytes, size_t align);

// Bytes handed out since the start of the process, padding included. A moment's value.
uint64_t PersistentAllocated();

// fork(2) in a program that allocates with gort: the forking thread holds the lock over the fork,
// so that the child does not inherit it in the hands of a thread that it does not have.
void PersistentForkLock();
void PersistentForkUnlock();

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_PERSISTENTALLOC_H_
