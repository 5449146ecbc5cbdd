// malloc/internal/page_alloc.h: which heap pages are free. Pure data: no locks, no system calls.
// What      best fit: the shortest free span that is long enough; among equals see span_lists.h, and the
//           lowest address among those of the tree. Neighbouring free spans are always one span.
// Layer     4, used by mheap only (and its tests).      Go: pageAlloc (mpagealloc.go); differs: see
//           mheap.h for why a tree of spans and not a radix of bitmap summaries.
// Cost      Alloc, Free, TakeResident: a few list operations, O(log free spans) for spans of more than
//           SpanLists::kMostPages, plus the bitmap words of the span.
// Structure spans of few pages in lists by their length (span_lists.h), the others in a treap
//           (Seidel and Aragon, "Randomized Search Trees") ordered by (length, address), with one
//           more bit a node: whether its subtree holds a span with memory that could be released.
// Invariants every page is in at most one span; the page map names the span at the first and last
//           page of every span, free or in use; no two free spans touch; n_released of a free span
//           equals the set bits of its pages; bits of pages in use are clear.
// Physical  the OS's pages may be longer than heap pages (64 KiB on some arm64). Bits are kept per
//           heap page, but set and cleared for whole OS pages, so a released page always lies in an
//           OS page that is free as a whole.
// Safety    not locked: mheap's lock serialises all calls. Any thread, any stack but the signal's.
#ifndef GORT_MALLOC_INTERNAL_PAGE_ALLOC_H_
#define GORT_MALLOC_INTERNAL_PAGE_ALLOC_H_

#include <cstddef>
#include <cstdint>

#include "gort/base/bits.h"
#include "gort/base/rand.h"
#include "gort/malloc/internal/fixalloc.h"
#include "gort/malloc/internal/mspan.h"
#include "gort/malloc/internal/page_map.h"
#include "gort/malloc/internal/span_lists.h"

namespace gort::rt {

class PageAlloc {
 public:
  constexpr explicit PageAlloc(PageMap* map) : map_(map) {}
  PageAlloc(const PageAlloc&) = delete;
  PageAlloc& operator=(const PageAlloc&) = delete;

  // Heap pages in a page of the OS (a power of two; 1 until set). Before the first Grow.
  void set_physical_pages(size_t n) { physical_ = n; }

  // Adds pages [page, page + n), which are mapped, belong to no span and have no memory yet.
  // Both ends are multiples of the physical page. False: no memory for the records, and nothing has
  // changed. Go: (*pageAlloc).grow (mpagealloc.go).
  bool Grow(PageId page, size_t n);

  // A span of n > 0 pages whose first page number is a multiple of align (a power of two), in state
  // kInUse, entered into the page map at its ends; needs_zero tells whether it may hold old data.
  // Null: no free span is long enough, Grow first; or there are no records for the rests of a span
  // that is cut.
  // Go: (*pageAlloc).alloc (mpagealloc.go).
  MSpan* Alloc(size_t n, size_t align);

  // Gets records enough for two calls of Grow and an Alloc. False: the OS has no memory
  // for them.
  bool ReserveRecords() { return spans_.Reserve(kMostRests + 2); }

  // Takes a span from Alloc back. s is gone afterwards. Go: (*pageAlloc).free (mpagealloc.go).
  void Free(MSpan* s);

  // Takes at most max_pages (at least one OS page) of free memory out, from the longest span that
  // has any, highest address first, as a span in state kReleasing that the caller releases to the
  // OS without the lock and then hands to PutBack, with whether the OS took it. Null: there is
  // none, or no record for the rests. Go: (*pageAlloc).find (mgcscavenge.go).
  MSpan* TakeResident(size_t max_pages);
  void PutBack(MSpan* s, bool released);

  // All in heap pages. free_pages includes released_pages.
  size_t free_pages() const { return free_pages_; }
  size_t released_pages() const { return released_pages_; }
  size_t inuse_pages() const { return inuse_pages_; }

  // Walks everything and is fatal when an invariant does not hold; returns the free spans.
  // For tests; O(free pages).
  size_t Check() const;

 private:
  static constexpr size_t kMostRests = 2;  // of a span that is cut

  static bool Before(size_t n_pages, uintptr_t base, const MSpan* s) {
    return n_pages != s->n_pages ? n_pages < s->n_pages : base < s->base;
  }

  // Pages of s that lie in OS pages of which s holds all.
  size_t WholePages(const MSpan* s) const {
    if (physical_ == 1) return s->n_pages;
    const PageId lo = AlignUp(s->first_page(), physical_);
    const PageId hi = AlignDown(s->end_page(), physical_);
    return hi > lo ? hi - lo : 0;
  }
  bool Releasable(const MSpan* s) const { return WholePages(s) > s->n_released; }

  MSpan* NewSpan(PageId page, size_t n);
  MSpan* FindFit(size_t n, size_t align) const;
  void Insert(MSpan* s);
  void Remove(MSpan* s);
  // The rest [page, page + n) of a free span that was cut. resident: that one had all its memory.
  void InsertRest(PageId page, size_t n, bool resident);
  // Cuts [page, page + n) out of s, which is among the free spans; the rests become such.
  MSpan* Carve(MSpan* s, PageId page, size_t n);
  // Makes s free, joins it with its free neighbours and puts the result among the free spans.
  void InsertCoalesced(MSpan* s);

  // Takes `beside` out, which is to become part of s.
  void Join(MSpan* s, MSpan* beside);
  // The free span that ends right before this page, or begins at it, as the page map has it; null:
  // none.
  MSpan* FreeBefore(PageId page) const;
  MSpan* FreeAt(PageId page) const;

  // page_tree.cc
  void TreeInsert(MSpan* s);
  void TreeRemove(MSpan* s);
  MSpan* TreeFind(size_t n) const;  // the shortest of at least n pages; null: none
  MSpan* FindReleasable() const;    // the last in the order, or of the lists
  void Update(MSpan* s) const;
  void UpdateUp(MSpan* s) const;
  void RotateUp(MSpan* s);
  void Replace(MSpan* s, MSpan* by);
  void CheckSpan(const MSpan* s, size_t* pages, size_t* released) const;
  size_t CheckTree(const MSpan* s, size_t* pages, size_t* released) const;

  // All fields: guarded by mheap's lock.
  PageMap* const map_;
  size_t physical_ = 1;
  SpanLists lists_;
  MSpan* root_ = nullptr;
  FastRand rand_{0x67ee'5eed};                  // tree priorities only
  TypedFixAlloc<MSpan> spans_{/*zero=*/false};  // the constructor sets each field
  size_t free_pages_ = 0;
  size_t released_pages_ = 0;
  size_t inuse_pages_ = 0;
};

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_PAGE_ALLOC_H_
