// leak/internal/heap.h: which blocks of the heaps an address belongs to, and which of them are marked.
// What      the C library's heap, read from the headers of its chunks, and gort's own, read from its page
//           map. A part whose headers do not add up is not taken as a heap: it is searched as a whole.
//
//             the break, and heaps of threads (64 MiB, aligned)   chunk after chunk up to the top
//             mappings of large blocks                           one chunk each, that fills it
//             gort's arenas                                      spans of objects of one size
//
// Free      a chunk that the next one's header says is free; one in a thread's cache, by the cache's key;
//           an object on one of the lists of gort's heap. What it held is of no interest.
// Layer     9. Package-internal. The other threads stand still, none of them inside the C library's
//           allocator. Allocates from a Scratch.
#ifndef GORT_LEAK_INTERNAL_HEAP_H_
#define GORT_LEAK_INTERNAL_HEAP_H_

#include <cstddef>
#include <cstdint>

#include "gort/leak/internal/maps.h"
#include "gort/leak/internal/scratch.h"
#include "gort/malloc/internal/mspan.h"

namespace gort::rt {

// What the C library's allocator writes into the blocks that it keeps for a thread; 0: not known.
// Called once, before threads are stopped.
uintptr_t FreeBlockKey();

class Heap {
 public:
  explicit Heap(Scratch* scratch, uintptr_t key)
      : scratch_(scratch), areas_(scratch), large_(scratch), key_(key) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // Finds all blocks. whole_libc: the C library's heap may be in the middle of a change, and is
  // searched as a whole.
  void Find(const Grow<Mapping>& maps, bool whole_libc);

  // Parts of mappings that consist of blocks; in the order of their addresses.
  struct Area {
    uintptr_t lo, hi;
    enum Kind : uint8_t { kChunks, kOne, kGort } kind;
    bool marked;       // kOne
    uint64_t* begins;  // kChunks: a bit for each 16 bytes, set where a block begins
    uint64_t* marks;   // kChunks, kGort: the same, set where a marked block begins
  };
  const Grow<Area>& areas() const { return areas_; }

  struct Block {
    Area* area = nullptr;  // null: no block
    uintptr_t lo = 0, hi = 0;
  };
  // The block that holds the byte at p.
  Block BlockAt(uintptr_t p);
  bool Marked(const Block& b) const;
  // False: it was marked before.
  bool Mark(const Block& b);
  // Whether a chunk's header is at p: allocators point at those, programs at blocks.
  bool HeaderAt(uintptr_t p);

 private:
  Area* AreaOf(uintptr_t p);
  bool Chunks(uintptr_t lo, uintptr_t first, uintptr_t hi);
  void Break(const Mapping& m);
  bool ThreadHeap(const Mapping& m, uintptr_t heap);
  void LargeBlocks(uintptr_t lo, uintptr_t hi);
  void Anonymous(const Mapping& m, bool whole_libc);
  void GortArea(uintptr_t lo, uintptr_t hi);
  uintptr_t SpanEnd(uintptr_t p);
  void GortArena(uintptr_t lo, uintptr_t hi);
  void MakeMarks();
  void MarkFree(const FreeObject* list);
  static Block InChunks(Area* a, uintptr_t p);
  Block InGort(Area* a, uintptr_t p) const;
  Block InLarge(Area* a, uintptr_t p) const;

  Scratch* const scratch_;
  Grow<Area> areas_;
  Grow<Range> large_;        // of gort's heap, the blocks that own their span, by address
  uintptr_t span_end_ = 0;   // of the last span that was found there
  bool gort_rests_ = false;  // else its heap is searched as a whole
  Area* last_ = nullptr;
  const uintptr_t key_;
};

}  // namespace gort::rt

#endif  // GORT_LEAK_INTERNAL_HEAP_H_
