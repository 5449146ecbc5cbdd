// gort/malloc/malloc.h: a memory allocator, usable alone.
// What      Alloc and Free with per-thread (under the gort runtime: per-P) caches, size classes
//           with bounded waste, and a page heap that gives unused memory back to the OS.
// Contract  every function may be called from any thread at any time, also before main, also while
//           a thread ends; from a goroutine; not from a signal handler. Nothing here parks the
//           goroutine. A block may be freed on another thread than it was allocated on.
// Alignment of Alloc(n): 4 bytes for n <= 4, 8 for n <= 8, else 16. More: AllocAligned.
// Errors    out of memory, for the block or for the allocator's own records, or a size beyond the
//           address space: a null pointer (Allocator and Resource() throw std::bad_alloc). All that is
//           allocated stays good, and what is freed can be had again. Misuse ends the process with "fatal error: malloc: …"
//           naming the pointer: freeing what this allocator did not hand out, a double free that
//           shows, an alignment that is no power of two. Builds with GORT_DEBUG=1 find each double
//           free of a block that nobody has got since, pointers into the middle of an object, and
//           writes to freed objects as well.
// Memory    goes back to the OS by itself once 32 MiB more than a reserve lie idle (the reserve:
//           1/8 of what is in use, and 4 MiB); under the runtime its monitor thread sees to it; and
//           at once by ReleaseFreeMemory().
#ifndef GORT_MALLOC_MALLOC_H_
#define GORT_MALLOC_MALLOC_H_

#include <cstddef>
#include <cstdint>

#include "gort/malloc/pmr.h"

namespace gort::malloc {

// A new block of at least bytes bytes, not cleared; the caller owns it until Free. Alloc(0) is a
// block too, with an address of its own. Null: out of memory. Go: mallocgc (malloc.go).
void* Alloc(size_t bytes);

// As Alloc, at an address that is a multiple of align: any power of two. Any other is fatal.
void* AllocAligned(size_t align, size_t bytes);

// As Alloc(count * bytes), cleared. Null when the product overflows, too.
void* AllocZeroed(size_t count, size_t bytes);

// Gives a block back. p: from one of the above and not freed since, or null (nothing happens).
void Free(void* p);

// As Free, by a caller who knows how many bytes it asked for. Builds with GORT_DEBUG=1 end the process
// if the block has fewer. Not an overload: &Free has one meaning.
void FreeSized(void* p, size_t bytes);

// The block with at least bytes bytes, its contents kept as far as they fit; bytes beyond are not
// cleared. p: as for Free; null: as Alloc. It stays where it is while it has the room and uses half
// of it. A large block that moves to grow takes a quarter more than it was asked for, so that growing
// step by step costs time in proportion to the final size. Alignment is Alloc's, whatever p had. Null:
// out of memory; p is then as it was.
void* Realloc(void* p, size_t bytes);

// Bytes that the block may be used for, at least those asked for; p null: 0.
size_t UsableSize(const void* p);

// Gives all free pages back to the OS, objects in the caller's cache included. Returns bytes.
// Objects in the caches of other threads keep their pages. Go: debug.FreeOSMemory.
size_t ReleaseFreeMemory();

// All in bytes unless said otherwise. Numbers of a moment: other threads go on allocating while
// they are collected, so they need not add up exactly.
struct Stats {
  uint64_t in_use = 0;  // in blocks that callers hold, rounding included
  // Of it, blocks that are larger than any class of ReadClassStats, and those that a profile of the heap
  // has sampled: these own their pages, whatever their size.
  uint64_t in_use_large = 0;
  uint64_t in_use_objects = 0;  // how many of them; a block shared by tiny objects counts once
  uint64_t cached = 0;          // in free objects that caches hold
  uint64_t heap_reserved = 0;   // address space
  uint64_t heap_sys = 0;        // of it, ever put to use: heap_in_use + heap_idle
  uint64_t heap_in_use = 0;     // in spans that hold at least one object, used or cached
  uint64_t heap_idle = 0;       // in free spans
  uint64_t heap_released = 0;   // of heap_idle: memory that is with the OS
  uint64_t scavenged = 0;       // released to the OS since the start, a sum
  uint64_t metadata = 0;        // the allocator's own records
};

Stats ReadStats();

// Of the small objects of one size, in objects unless said otherwise; a moment's numbers, as Stats.
struct ClassStats {
  size_t object_bytes = 0;
  bool tiny = false;        // blocks that several objects of up to 4 bytes share
  uint64_t in_use = 0;      // callers hold them
  uint64_t cached = 0;      // free, with a thread or on the way from one to another
  uint64_t free = 0;        // free in their spans
  uint64_t spans = 0;       // runs of pages that hold them
  uint64_t span_bytes = 0;  // of these together
};

inline constexpr size_t kNumClasses = 74;

// Fills out[0 .. n) with the first n classes, by ascending size, tiny blocks last, and returns how many
// there are (kNumClasses). Larger objects are Stats' alone. Takes a lock for each class.
size_t ReadClassStats(ClassStats* out, size_t n);

// How much memory this allocator shall have of the OS (in use, idle, records: heap_in_use + heap_idle -
// heap_released + metadata of Stats), in bytes. A wish: beyond it free memory goes back at once instead
// of waiting for use, which costs time the nearer the program is; what is in use stays, and nothing
// fails. Returns the limit before, INT64_MAX without one; a negative one changes nothing. Under
// the runtime the variable GOMEMLIMIT sets it at the start. Goroutines' stacks and what others have
// mapped do not count: leave room for them below a container's limit. Go: debug.SetMemoryLimit.
int64_t SetMemoryLimit(int64_t bytes);

}  // namespace gort::malloc

#endif  // GORT_MALLOC_MALLOC_H_
