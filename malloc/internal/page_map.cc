#include "gort/malloc/internal/page_map.h"

#include "gort/malloc/internal/persistentalloc.h"

namespace gort::rt {

bool PageMap::AddArenas(PageId page, size_t n) {
  if (near_begin_.load(std::memory_order_relaxed) == 0) {
    const PageId first = page - kNearBelow;  // as for near_begin_, what wraps round wraps back
    near_begin_.store(reinterpret_cast<uintptr_t>(near_) - first, std::memory_order_relaxed);
  }
  for (PageId arena = page / kArenaPages; arena <= (page + n - 1) / kArenaPages; ++arena) {
    if (Slot(arena).load(std::memory_order_relaxed) != nullptr) continue;
    auto* info = static_cast<ArenaInfo*>(TryPersistentAlloc(sizeof(ArenaInfo), kCacheLine));
    if (info == nullptr) return false;
    Slot(arena).store(info, std::memory_order_release);  // pairs with: Get
  }
  SetReleased(page, n, true);
  return true;
}

void PageMap::SetClasses(PageId page, size_t n, int span_class) {
  const auto c = static_cast<uint8_t>(span_class);
  for (PageId i = page; i < page + n; ++i) {
    if (const uintptr_t at = NearAt(i); IsNear(at)) {
      NearByte(at).store(c, std::memory_order_relaxed);
    } else {
      Info(i)->classes[i % kArenaPages].store(c, std::memory_order_relaxed);
    }
  }
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
