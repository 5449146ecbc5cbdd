#include "gort/malloc/internal/page_map.h"

#include "gort/malloc/internal/persistentalloc.h"

namespace gort::rt {

void PageMap::AddArenas(PageId page, size_t n) {
  for (PageId arena = page / kArenaPages; arena <= (page + n - 1) / kArenaPages; ++arena) {
    if (Slot(arena).load(std::memory_order_relaxed) != nullptr) continue;
    auto* info = static_cast<ArenaInfo*>(PersistentAlloc(sizeof(ArenaInfo), kCacheLine));
    Slot(arena).store(info, std::memory_order_release);  // pairs with: Get
  }
  SetReleased(page, n, true);
}

template <class Fn>
void PageMap::ForEachWord(PageId page, size_t n, Fn fn) const {
  while (n > 0) {
    size_t bit = page % 64;
    size_t take = 64 - bit < n ? 64 - bit : n;
    uint64_t mask = (take == 64 ? ~uint64_t{0} : (uint64_t{1} << take) - 1) << bit;
    fn(&Info(page)->released[page % kArenaPages / 64], mask);
    page += take;
    n -= take;
  }
}

void PageMap::SetReleased(PageId page, size_t n, bool released) {
  ForEachWord(page, n, [released](uint64_t* word, uint64_t mask) {
    *word = released ? *word | mask : *word & ~mask;
  });
}

size_t PageMap::CountReleased(PageId page, size_t n) const {
  size_t count = 0;
  ForEachWord(page, n, [&count](const uint64_t* word, uint64_t mask) {
    count += static_cast<size_t>(std::popcount(*word & mask));
  });
  return count;
}

size_t PageMap::LastResidentRun(PageId lo, PageId hi, size_t max_pages, PageId* start) const {
  PageId end = hi;
  while (end > lo && IsReleased(end - 1)) {
    const bool whole_word = end % 64 == 0 && end - lo >= 64;
    end -= whole_word && CountReleased(end - 64, 64) == 64 ? 64 : 1;
  }
  *start = end;
  while (*start > lo && end - *start < max_pages && !IsReleased(*start - 1)) --*start;
  return end - *start;
}

}  // namespace gort::rt
