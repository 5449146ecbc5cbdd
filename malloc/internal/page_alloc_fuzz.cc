// Any sequence of calls to the page allocator, beside an array of pages: best fit, no overlap, the
// same counts, and its own invariants.
#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

#include "gort/malloc/internal/page_alloc.h"
#include "gort/malloc/internal/page_map.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/tests/fuzz/fuzz.h"

namespace {

using gort::fuzz::Check;
using gort::rt::MSpan;
using gort::rt::PageAlloc;
using gort::rt::PageMap;

constexpr size_t kPages = 256;
constexpr size_t kPhysical = 4;
constexpr gort::rt::PageId kBase =
    5 * gort::rt::kArenaPages - kPages / 2;  // on both sides of a seam

// One for all inputs, since its tables cannot be given back; empty, and without memory, between
// them.
struct Heap {
  PageMap* map = new (gort::rt::PersistentAlloc(sizeof(PageMap), 4096)) PageMap;
  PageAlloc pages{map};
  Heap() {
    pages.set_physical_pages(kPhysical);
    pages.Grow(kBase, kPages);
  }
};

class Model {
 public:
  // Free pages from page i on.
  size_t RunAt(size_t i) const {
    size_t len = 0;
    while (i + len < kPages && used_[i + len] == 0) ++len;
    return len;
  }
  // Pages of the shortest free run with room for n; 0: none.
  size_t BestFit(size_t n) const {
    size_t best = 0;
    for (size_t i = 0; i < kPages;) {
      const size_t len = RunAt(i);
      if (len >= n && (best == 0 || len < best)) best = len;
      i += std::max<size_t>(len, 1);
    }
    return best;
  }
  bool BeginsRun(size_t i) const { return i == 0 || used_[i - 1] != 0; }
  bool AnyFit(size_t n, size_t align) const {
    for (size_t i = (align - kBase % align) % align; i + n <= kPages; i += align) {
      if (All(i, n, false)) return true;
    }
    return false;
  }
  bool All(size_t first, size_t n, bool used) const {
    const auto at = used_.begin() + static_cast<ptrdiff_t>(first);
    return std::all_of(at, at + static_cast<ptrdiff_t>(n),
                       [used](char u) { return (u != 0) == used; });
  }
  void Mark(const MSpan* s, bool used) {
    std::fill_n(used_.begin() + static_cast<ptrdiff_t>(s->first_page() - kBase), s->n_pages,
                used ? 1 : 0);
  }
  size_t Used() const { return static_cast<size_t>(std::count(used_.begin(), used_.end(), 1)); }

 private:
  std::vector<char> used_ = std::vector<char>(kPages);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Heap* const heap = new Heap;
  PageAlloc& pages = heap->pages;
  gort::fuzz::Input in(data, size);
  Model model;
  std::vector<MSpan*> live;
  while (!in.empty()) {
    const uint8_t what = in.Byte();
    if (what % 8 < 5) {
      const size_t n = 1 + (what >= 128 ? in.Number(kPages) : in.Byte() % 16);
      const size_t align = what % 8 == 0 ? size_t{1} << in.Byte() % 7 : 1;
      const bool fits = model.AnyFit(n, align);
      const bool fits_anyhow = model.AnyFit(n + align - 1, 1);  // at least then it is found
      const size_t best = model.BestFit(n);
      MSpan* s = pages.Alloc(n, align);
      Check(s != nullptr ? fits : !fits_anyhow, "a span when one fits");
      if (s == nullptr) continue;
      Check(s->n_pages == n && s->in_use(), "a span of n pages, in use");
      Check(s->first_page() % align == 0, "a span is aligned");
      const size_t first = s->first_page() - kBase;
      if (align == 1) Check(model.BeginsRun(first) && model.RunAt(first) == best, "the best fit");
      Check(model.All(s->first_page() - kBase, n, false), "a span was free");
      Check(heap->map->CountReleased(s->first_page(), n) == 0, "pages in use have memory");
      model.Mark(s, true);
      live.push_back(s);
    } else if (what % 8 < 7) {
      if (live.empty()) continue;
      std::swap(live[in.Byte() % live.size()], live.back());
      model.Mark(live.back(), false);
      pages.Free(live.back());
      live.pop_back();
    } else if (MSpan* s = pages.TakeResident(1 + in.Byte()); s != nullptr) {
      Check(model.All(s->first_page() - kBase, s->n_pages, false), "what is released is free");
      Check(s->first_page() % kPhysical == 0 && s->n_pages % kPhysical == 0, "OS pages as a whole");
      pages.PutBack(s, true);
    }
    Check(pages.inuse_pages() == model.Used(), "pages in use");
    Check(pages.free_pages() == kPages - model.Used(), "pages free");
    if (what % 64 == 3) pages.Check();
  }
  for (MSpan* s : live) pages.Free(s);
  while (MSpan* s = pages.TakeResident(kPages)) pages.PutBack(s, true);
  Check(pages.Check() == 1, "everything is one span again");
  Check(pages.released_pages() == kPages, "and has no memory");
  return 0;
}
