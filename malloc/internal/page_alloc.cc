#include "gort/malloc/internal/page_alloc.h"

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/base/throw.h"

namespace gort::rt {

MSpan* PageAlloc::NewSpan(PageId page, size_t n) {
  MSpan* s = spans_.Alloc();
  s->base = PageAddress(page);
  s->n_pages = n;
  return s;
}

bool PageAlloc::Grow(PageId page, size_t n) {
  GORT_CHECK(n > 0 && IsAligned(page, physical_) && IsAligned(n, physical_));
  if (!spans_.Reserve(1) || !map_->AddArenas(page, n)) return false;
  MSpan* s = NewSpan(page, n);
  s->n_released = n;
  free_pages_ += n;
  released_pages_ += n;
  InsertCoalesced(s);
  return true;
}

GORT_ALWAYS_INLINE void PageAlloc::Insert(MSpan* s) {
  if (s->n_pages > SpanLists::kMostPages) return TreeInsert(s);
  s->releasable = Releasable(s);
  lists_.Insert(s);
}

GORT_ALWAYS_INLINE void PageAlloc::Remove(MSpan* s) {
  if (s->n_pages > SpanLists::kMostPages) return TreeRemove(s);
  lists_.Remove(s);
}

MSpan* PageAlloc::FindFit(size_t n, size_t align) const {
  MSpan* best = lists_.Shortest(n);
  if (best == nullptr) best = TreeFind(n);
  if (best == nullptr || align == 1) return best;
  // The best fit may happen to be aligned; a span that is longer by align - 1 always holds an
  // aligned run.
  PageId aligned = AlignUp(best->first_page(), align);
  if (aligned + n <= best->end_page()) return best;
  return FindFit(n + align - 1, 1);
}

MSpan* PageAlloc::Alloc(size_t n, size_t align) {
  if (n + align < n || !spans_.Reserve(kMostRests)) return nullptr;
  MSpan* s = FindFit(n, align);
  if (s == nullptr) return nullptr;
  PageId page = AlignUp(s->first_page(), align);
  const bool untouched = s->n_released != 0 && map_->CountReleased(page, n) == n;
  s = Carve(s, page, n);
  s->needs_zero = !untouched;
  free_pages_ -= n;
  inuse_pages_ += n;
  return s;
}

MSpan* PageAlloc::Carve(MSpan* s, PageId page, size_t n) {
  Remove(s);
  // A touch of one heap page gives memory to the whole OS page that holds it (see "Physical"). An
  // OS page with set bits lies inside s, so every bit that is cleared here is counted in s.
  const bool resident = s->n_released == 0;  // the common case, which leaves the bits alone
  if (!resident) {
    PageId lo = AlignDown(page, physical_);
    PageId hi = AlignUp(page + n, physical_);
    released_pages_ -= map_->CountReleased(lo, hi - lo);
    map_->SetReleased(lo, hi - lo, false);
  }

  PageId first = s->first_page();
  PageId end = s->end_page();
  s->base = PageAddress(page);
  s->n_pages = n;
  s->n_released = 0;
  s->state.store(SpanState::kInUse, std::memory_order_relaxed);
  map_->SetEnds(s);
  if (first < page) InsertRest(first, page - first, resident);
  if (page + n < end) InsertRest(page + n, end - page - n, resident);
  return s;
}

// A rest has no free neighbour: one is the piece that was cut out, the other was a neighbour of the
// free span that was cut, and two free spans never touch.
void PageAlloc::InsertRest(PageId page, size_t n, bool resident) {
  MSpan* rest = NewSpan(page, n);
  rest->n_released = resident ? 0 : map_->CountReleased(page, n);
  rest->state.store(SpanState::kFree, std::memory_order_relaxed);
  map_->SetEnds(rest);
  Insert(rest);
}

void PageAlloc::Free(MSpan* s) {
  GORT_DCHECK(s->in_use());
  free_pages_ += s->n_pages;
  inuse_pages_ -= s->n_pages;
  s->n_released = 0;
  InsertCoalesced(s);
}

// The page map is exact at the ends of spans, and a neighbour touches with one of its ends.
MSpan* PageAlloc::FreeBefore(PageId page) const {
  MSpan* s = map_->GetPage(page - 1);
  const bool free = s != nullptr && s->state.load(std::memory_order_relaxed) == SpanState::kFree;
  return free && s->end_page() == page ? s : nullptr;
}

MSpan* PageAlloc::FreeAt(PageId page) const {
  MSpan* s = map_->GetPage(page);
  const bool free = s != nullptr && s->state.load(std::memory_order_relaxed) == SpanState::kFree;
  return free && s->first_page() == page ? s : nullptr;
}

void PageAlloc::Join(MSpan* s, MSpan* beside) {
  Remove(beside);
  s->n_pages += beside->n_pages;
  s->n_released += beside->n_released;
  beside->state.store(SpanState::kDead, std::memory_order_relaxed);
  spans_.Free(beside);
}

void PageAlloc::InsertCoalesced(MSpan* s) {
  if (MSpan* before = FreeBefore(s->first_page()); before != nullptr) {
    const uintptr_t base = before->base;
    Join(s, before);
    s->base = base;
  }
  if (MSpan* after = FreeAt(s->end_page()); after != nullptr) Join(s, after);
  s->state.store(SpanState::kFree, std::memory_order_relaxed);
  map_->SetEnds(s);
  Insert(s);
}

MSpan* PageAlloc::TakeResident(size_t max_pages) {
  MSpan* s = FindReleasable();
  if (s == nullptr || !spans_.Reserve(kMostRests)) return nullptr;
  max_pages = max_pages > physical_ ? AlignDown(max_pages, physical_) : physical_;
  PageId start;
  size_t n = map_->LastResidentRun(AlignUp(s->first_page(), physical_),
                                   AlignDown(s->end_page(), physical_), max_pages, &start);
  GORT_CHECK(n > 0);
  MSpan* taken = Carve(s, start, n);
  taken->state.store(SpanState::kReleasing, std::memory_order_relaxed);
  return taken;
}

void PageAlloc::PutBack(MSpan* s, bool released) {
  if (released) {
    map_->SetReleased(s->first_page(), s->n_pages, true);
    s->n_released = s->n_pages;
    released_pages_ += s->n_pages;
  }
  InsertCoalesced(s);
}

}  // namespace gort::rt
