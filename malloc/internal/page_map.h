// malloc/internal/page_map.h: from an address to its span and its span class, and one "has no memory"
// bit a page.
// What      a two-level table. The first level is a flat array with one pointer per 64 MiB of the
//           48-bit address space (32 MiB of untouched zero pages); the second is one ArenaInfo per
//           64 MiB that the heap really uses.
// Why       a flat table over one huge reservation saves a load, but must guess how much memory the
//           program will want, fails under `ulimit -v`, and costs minutes in an emulator that keeps
//           a record per reserved page. A three-level radix saves nothing: the first level costs
//           address space only, and the few entries in use stay in the cache.
// Classes   a free wants no more of a small object than its class: a byte a page, many in a cache line,
//           where a span's record would be a line for each span. For the 64 GiB around the heap's first
//           pages these bytes are one flat table (8 MiB of untouched zero pages): in a free and the next
//           malloc each load waits for the one before, and this saves one of four. Pages elsewhere have
//           theirs in the second level.
// Layer     4.                                     Go: heapArena, spanOf (mheap.go, arena index)
// Contract  | call             | any thread | lock held | allocates         |
//           | Get, SpanClass   |     x      |     -     |         -         |
//           | Set…             |     x      |   mheap   |         -         |
//           | AddArenas        |     x      |   mheap   | persistentalloc   |
//           | Released bits    |     x      |   mheap   |         -         |
// Ordering  Get by a holder of an object needs none: whoever gave it the object ordered the write.
//           Entries are atomic so that a wrong pointer is a clean miss and not a data race.
#ifndef GORT_MALLOC_INTERNAL_PAGE_MAP_H_
#define GORT_MALLOC_INTERNAL_PAGE_MAP_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/malloc/internal/mspan.h"
#include "gort/malloc/internal/size_classes.h"

namespace gort::rt {

inline constexpr int kAddressBits = 48;
inline constexpr int kArenaShift = 26;
inline constexpr size_t kArenaBytes = size_t{1} << kArenaShift;
inline constexpr size_t kArenaPages = kArenaBytes >> kHeapPageShift;
inline constexpr size_t kArenaSlots = size_t{1} << (kAddressBits - kArenaShift);

class PageMap {
 public:
  constexpr PageMap() = default;
  PageMap(const PageMap&) = delete;
  PageMap& operator=(const PageMap&) = delete;

  // The span whose entry the page of address p holds; null: none. It may be stale: the caller
  // compares p with the span's bounds and looks at its state.
  GORT_ALWAYS_INLINE MSpan* Get(uintptr_t p) const {
    if (GORT_UNLIKELY(p >> kAddressBits != 0)) return nullptr;
    const ArenaInfo* arena = Slot(p >> kArenaShift).load(std::memory_order_acquire);
    if (GORT_UNLIKELY(arena == nullptr)) return nullptr;  // pairs with: AddArenas
    return arena->spans[PageOf(p) % kArenaPages].load(std::memory_order_relaxed);
  }
  // Whether any page of the arena that holds p was ever the heap's.
  bool Covers(uintptr_t p) const {
    // pairs with: AddArenas
    return p >> kAddressBits == 0 &&
           Slot(p >> kArenaShift).load(std::memory_order_acquire) != nullptr;
  }
  MSpan* GetPage(PageId page) const { return Get(PageAddress(page)); }

  // Requires: AddArenas covered the pages.
  void Set(PageId page, MSpan* s) {
    Info(page)->spans[page % kArenaPages].store(s, std::memory_order_relaxed);
  }
  void SetRange(PageId page, size_t n, MSpan* s) {
    for (size_t i = 0; i < n; ++i) Set(page + i, s);
  }
  // First and last page: what coalescing and large objects need.
  void SetEnds(MSpan* s) {
    Set(s->first_page(), s);
    Set(s->end_page() - 1, s);
  }

  // The span class of the small objects in the page of address p; 0: there are none, or p is no
  // address of the heap's. Exact, if p lies in a span that is in use. For tests: Free calls the parts.
  GORT_ALWAYS_INLINE int SpanClass(uintptr_t p) const {
    const int near = NearClass(p);
    return GORT_LIKELY(near >= 0) ? near : FarClass(p);
  }
  // The same in two parts, for who has another place for the second. Negative: p is not near.
  GORT_ALWAYS_INLINE int NearClass(uintptr_t p) const {
    const uintptr_t at = NearAt(PageOf(p));
    if (GORT_UNLIKELY(!IsNear(at))) return -1;
    return NearByte(at).load(std::memory_order_relaxed);
  }
  int FarClass(uintptr_t p) const {
    if (GORT_UNLIKELY(p >> kAddressBits != 0)) return 0;
    const ArenaInfo* arena = Slot(p >> kArenaShift).load(std::memory_order_acquire);
    if (GORT_UNLIKELY(arena == nullptr)) return 0;  // pairs with: AddArenas
    return arena->classes[PageOf(p) % kArenaPages].load(std::memory_order_relaxed);
  }
  void SetClasses(PageId page, size_t n, int span_class);

  // Makes the tables for pages [page, page + n), with their released bits set. False: out of memory,
  // and the bits are as they were.
  bool AddArenas(PageId page, size_t n);

  // Released bits: a page with the bit set has no memory behind it and reads as zero.
  void SetReleased(PageId page, size_t n, bool released);
  size_t CountReleased(PageId page, size_t n) const;
  bool IsReleased(PageId page) const {
    return (Info(page)->released[page % kArenaPages / 64] >> page % 64 & 1) != 0;
  }
  // The last run of at most max_pages pages in [lo, hi) whose bits are clear; its length, 0: none.
  size_t LastResidentRun(PageId lo, PageId hi, size_t max_pages, PageId* start) const;

 private:
  static constexpr size_t kNearPages = size_t{64} << (30 - kHeapPageShift);
  // Of them, before the heap's first page: the kernel gives lower and lower addresses.
  static constexpr size_t kNearBelow = kNearPages / 4 * 3;

  struct ArenaInfo {
    std::atomic<uint8_t> classes[kArenaPages];  // of pages that are not near
    std::atomic<MSpan*> spans[kArenaPages];
    uint64_t released[kArenaPages / 64];
  };

  ArenaInfo* Info(PageId page) const {
    return Slot(page / kArenaPages).load(std::memory_order_relaxed);  // under mheap's lock
  }
  // Where the page's byte is, if that is in near_.
  GORT_ALWAYS_INLINE uintptr_t NearAt(PageId page) const {
    return near_begin_.load(std::memory_order_relaxed) + page;
  }
  GORT_ALWAYS_INLINE bool IsNear(uintptr_t at) const {
    return at - reinterpret_cast<uintptr_t>(near_) < kNearPages;
  }
  static GORT_ALWAYS_INLINE std::atomic_ref<uint8_t> NearByte(uintptr_t at) {
    return std::atomic_ref<uint8_t>(*reinterpret_cast<uint8_t*>(at));
  }
  GORT_ALWAYS_INLINE std::atomic_ref<ArenaInfo*> Slot(size_t arena) const {
    return std::atomic_ref<ArenaInfo*>(arenas_[arena]);
  }
  // Calls fn(word, mask) for each word of released bits that [page, page + n) touches.
  template <class Fn>
  void ForEachWord(PageId page, size_t n, Fn fn) const;

  // Plain pointers, accessed through Slot only: constant-initialising four million std::atomic is
  // more than compilers are willing to evaluate.
  mutable ArenaInfo* arenas_[kArenaSlots] = {};
  // Where page 0's byte would be; 0: not set. Set once, before any page has a class; whoever holds an
  // object has it in order, as with Get.
  std::atomic<uintptr_t> near_begin_{0};
  // Accessed through std::atomic_ref, for the same reason.
  mutable uint8_t near_[kNearPages] = {};
};

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_PAGE_MAP_H_
