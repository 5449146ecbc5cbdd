#include "gort/malloc/internal/page_alloc.h"

#include "gort/base/bits.h"
#include "gort/base/throw.h"

namespace gort::rt {

size_t PageAlloc::WholePages(const MSpan* s) const {
  PageId lo = AlignUp(s->first_page(), physical_);
  PageId hi = AlignDown(s->end_page(), physical_);
  return hi > lo ? hi - lo : 0;
}

MSpan* PageAlloc::NewSpan(PageId page, size_t n) {
  MSpan* s = spans_.Alloc();
  s->base = PageAddress(page);
  s->n_pages = n;
  return s;
}

void PageAlloc::Grow(PageId page, size_t n) {
  GORT_CHECK(n > 0 && IsAligned(page, physical_) && IsAligned(n, physical_));
  map_->AddArenas(page, n);
  MSpan* s = NewSpan(page, n);
  s->n_released = n;
  free_pages_ += n;
  released_pages_ += n;
  InsertCoalesced(s);
}

MSpan* PageAlloc::FindFit(size_t n, size_t align) const {
  MSpan* best = nullptr;
  for (MSpan* s = root_; s != nullptr;) {
    if (s->n_pages >= n) {
      best = s;
      s = s->left;
    } else {
      s = s->right;
    }
  }
  if (best == nullptr || align == 1) return best;
  // The best fit may happen to be aligned; a span that is longer by align - 1 always holds an
  // aligned run.
  PageId aligned = AlignUp(best->first_page(), align);
  if (aligned + n <= best->end_page()) return best;
  return FindFit(n + align - 1, 1);
}

MSpan* PageAlloc::Alloc(size_t n, size_t align) {
  if (n + align < n) return nullptr;
  MSpan* s = FindFit(n, align);
  if (s == nullptr) return nullptr;
  PageId page = AlignUp(s->first_page(), align);
  const bool untouched = map_->CountReleased(page, n) == n;
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
  PageId lo = AlignDown(page, physical_);
  PageId hi = AlignUp(page + n, physical_);
  released_pages_ -= map_->CountReleased(lo, hi - lo);
  map_->SetReleased(lo, hi - lo, false);

  PageId first = s->first_page();
  PageId end = s->end_page();
  s->base = PageAddress(page);
  s->n_pages = n;
  s->n_released = 0;
  s->state.store(SpanState::kInUse, std::memory_order_relaxed);
  map_->SetEnds(s);
  if (first < page) InsertRest(first, page - first);
  if (page + n < end) InsertRest(page + n, end - page - n);
  return s;
}

// A rest has no free neighbour: one is the piece that was cut out, the other was a neighbour of the
// free span that was cut, and two free spans never touch.
void PageAlloc::InsertRest(PageId page, size_t n) {
  MSpan* rest = NewSpan(page, n);
  rest->n_released = map_->CountReleased(page, n);
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

void PageAlloc::InsertCoalesced(MSpan* s) {
  // The page map is exact at the ends of spans, and a neighbour touches s with one of its ends.
  MSpan* before = map_->GetPage(s->first_page() - 1);
  if (before != nullptr && before->state.load(std::memory_order_relaxed) == SpanState::kFree &&
      before->end_page() == s->first_page()) {
    Remove(before);
    s->base = before->base;
    s->n_pages += before->n_pages;
    s->n_released += before->n_released;
    before->state.store(SpanState::kDead, std::memory_order_relaxed);
    spans_.Free(before);
  }
  MSpan* after = map_->GetPage(s->end_page());
  if (after != nullptr && after->state.load(std::memory_order_relaxed) == SpanState::kFree &&
      after->first_page() == s->end_page()) {
    Remove(after);
    s->n_pages += after->n_pages;
    s->n_released += after->n_released;
    after->state.store(SpanState::kDead, std::memory_order_relaxed);
    spans_.Free(after);
  }
  s->state.store(SpanState::kFree, std::memory_order_relaxed);
  map_->SetEnds(s);
  Insert(s);
}

MSpan* PageAlloc::TakeResident(size_t max_pages) {
  MSpan* s = FindReleasable();
  if (s == nullptr) return nullptr;
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
