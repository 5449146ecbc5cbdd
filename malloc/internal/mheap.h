// malloc/internal/mheap.h: the page heap, from which everything else in malloc takes whole spans.
//
// The design in one page.
//
// An allocation passes through at most four levels, each with its own lock and its own unit:
//
//   mcache      objects   none     one per P or per thread; free lists of objects, one a span class
//   mcentral    batches   its own  one per span class; spans that have free objects
//   mheap       spans     one      runs of 8 KiB pages, best fit; the page map
//   platforms   arenas    -        address space, 64 MiB and more at a time
//
// Freeing walks the same way up: an object goes to the freeing thread's mcache whoever allocated
// it; a list that has grown too long gives a batch to mcentral, which keeps some as they are for the
// next cache in want of one; a span whose objects all came home
// goes to mheap and joins its free neighbours; pages that stay free lose their memory to the OS,
// bit by bit (scavenge.h). Go has no free: there a cache owns whole spans and the sweeper finds the
// dead objects. In C++ any thread may free any object at any time, so what a cache owns must be
// objects.
//
// Objects are found from addresses by the page map (page_map.h), so nothing stands in front of an
// object, small objects are as dense as their class, and a wrong pointer is told from a right one.
//
// Fresh spans are not threaded into a free list: mcentral counts how many objects were ever handed
// out and gives the next ones from there, so that a page is first touched by its user.
//
// Memory of one span always reads as zero exactly while its released bits are set (fresh from the
// OS, or returned to it): calloc of a large object then writes nothing.
//
// Tiny objects. Go packs objects without pointers below 16 bytes into blocks and lets the collector
// find out when a block is dead. Here requests of 1 to 4 bytes get 4-byte slots of a 64-byte block,
// the last slot of which holds one bit per live object; a free clears its bit (the one atomic
// operation on objects in all of malloc) and whoever clears the last frees the block. 4.3 bytes an
// object instead of 8, and a double free always shows.
//
// Start. All of it is constant-initialised and needs no call before the first allocation: the first
// span grows the heap. That is what makes //malloc:override work before main and before ld.so is
// done, and why there is no dynamic initialiser here.
//
// Threads that are not Ms. t_mcache (current_mcache.h) is the cache that this thread may use: the
// scheduler points it at the P's; a thread without one gets its own on first use, flushed at its
// end. malloc itself knows nothing of G, M and P.
//
// What was rejected:
//
// 1. Go's radix tree of bitmap summaries for free pages. It is address-ordered first fit and made
//    for allocating pages without the heap lock from per-P caches. Best fit wants an order by
//    length; lists by length, and a treap for the long, over span records that exist anyway give it,
//    join neighbours through the page map in O(1), and find what to scavenge through one more bit.
//    Should the heap lock ever show in a profile, the answer is a per-P cache of short runs in front.
// 2. The treap alone. It was there first, and its order was half of what a large block cost.
// 3. Per-span free lists with remote-free queues (mimalloc, snmalloc). Frees from other threads
//    cost an atomic each, and a cache that belongs to a P and moves between threads has no natural
//    "owner thread" to send objects back to. The batch through mcentral is what Go's P suits.
// 4. One huge reservation and a flat page map: see page_map.h.
// 5. Headers before objects (dlmalloc, glibc): 16 bytes each, and an overflow by one byte corrupts
//    the allocator instead of a neighbour.
// 6. Allocating on the system stack, as Go does from small goroutine stacks: ours are large
//    reservations, nothing here uses more than a few hundred bytes of stack, and malloc stays
//    independent of stack switching.
// 7. Releasing memory whenever a span is freed: a loop over one large object would fault its pages
//    in every time round. Release follows a goal (scavenge.h).
//
// Locks: mcentral < mheap < persistent; scavenge outside of all three (lock/lock_rank.txt). No lock
// of malloc is held while user code runs, and none over a switch of goroutines: malloc is
// pinned (platforms/pins.h).
#ifndef GORT_MALLOC_INTERNAL_MHEAP_H_
#define GORT_MALLOC_INTERNAL_MHEAP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/mspan.h"
#include "gort/malloc/internal/page_alloc.h"
#include "gort/malloc/internal/page_map.h"

namespace gort::rt {

// Bytes of pages; see MHeap::ReadStats.
struct HeapStats {
  uint64_t reserved = 0;  // address space taken from the OS
  uint64_t sys = 0;       // of it, given to the page allocator: inuse + free
  uint64_t inuse = 0;     // in spans that are in use
  uint64_t free = 0;      // in free spans
  uint64_t released = 0;  // of the free, without memory
  uint64_t large = 0;     // of inuse: spans that are one object
  uint64_t large_objects = 0;
};

// Contract  | call           | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | AllocSpan      |   x    | x  |  x   |    -    |    x    |   -   | from OS   |
//           | FreeSpan       |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | ReleaseSome    |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | ReadStats      |   x    | x  |  x   |    -    |    x    |   -   |     -     |
// Each takes the heap lock (rank mheap). Go: mheap (mheap.go).
class MHeap {
 public:
  constexpr explicit MHeap(PageMap* map) : pages_(map) {}
  MHeap(const MHeap&) = delete;
  MHeap& operator=(const MHeap&) = delete;

  // A span of n_pages > 0 whose first page is a multiple of align_pages (a power of two), set up
  // for span_class (0: one large object). The caller owns it. Null: the OS has no more memory.
  // Go: (*mheap).alloc (mheap.go).
  MSpan* AllocSpan(size_t n_pages, size_t align_pages, int span_class) ABSL_LOCKS_EXCLUDED(lock_);

  // Takes a span back that nobody uses any more. Go: (*mheap).freeSpan (mheap.go).
  void FreeSpan(MSpan* s) ABSL_LOCKS_EXCLUDED(lock_);

  // Gives the memory of at most max_bytes of free pages back to the OS; the system call is made
  // without the lock. Returns bytes released, 0 when there is nothing to release or max_bytes is 0.
  // Go: (*pageAlloc).scavengeOne (mgcscavenge.go).
  size_t ReleaseSome(size_t max_bytes) ABSL_LOCKS_EXCLUDED(lock_);

  HeapStats ReadStats() ABSL_LOCKS_EXCLUDED(lock_);

  // Bytes of free pages that have memory, and bytes in use, as of the last change; without the
  // lock.
  size_t idle_bytes() const { return idle_bytes_.load(std::memory_order_relaxed); }
  size_t inuse_bytes() const { return inuse_bytes_.load(std::memory_order_relaxed); }

  // For who looks at the spans while all other threads stand, wherever they are. False: one of them is in
  // the middle of a change.
  bool AtRest() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (!lock_.TryLock()) return false;
    lock_.Unlock();
    return true;
  }

  // fork(2): see persistentalloc.h.
  void ForkLock() ABSL_NO_THREAD_SAFETY_ANALYSIS { lock_.LockForFork(); }
  void ForkUnlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { lock_.UnlockAfterFork(); }

 private:
  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool Grow(size_t n_pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool Reserve(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool Commit(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  Mutex lock_{LockRank::kMheap};
  PageAlloc pages_ ABSL_GUARDED_BY(lock_);
  // The newest reservation; what lies below next_ belongs to pages_.
  uintptr_t next_ ABSL_GUARDED_BY(lock_) = 0;
  uintptr_t end_ ABSL_GUARDED_BY(lock_) = 0;
  uint64_t reserved_ ABSL_GUARDED_BY(lock_) = 0;
  size_t large_pages_ ABSL_GUARDED_BY(lock_) = 0;
  uint64_t large_objects_ ABSL_GUARDED_BY(lock_) = 0;
  // Written under lock_; relaxed: hints for the scavenger, which orders nothing by them.
  std::atomic<size_t> idle_bytes_{0};
  std::atomic<size_t> inuse_bytes_{0};
};

// The process's only heap and its page map. Go: mheap_ (mheap.go).
extern PageMap page_map;
extern MHeap mheap;

// Pages that hold bytes; 0 when the number has no meaning (more than the address space).
inline size_t PagesFor(size_t bytes) {
  if (bytes > (size_t{1} << kAddressBits)) return 0;
  return (bytes + kHeapPageSize - 1) >> kHeapPageShift;
}

// Ends the process: "fatal error: malloc: <what>: <p>".
[[noreturn]] void MallocFatal(const char* what, const void* p) noexcept;

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_MHEAP_H_
