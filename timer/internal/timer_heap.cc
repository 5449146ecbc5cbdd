#include "gort/timer/internal/timer_heap.h"

#include <cstring>

#include "gort/base/attributes.h"
#include "gort/platforms/mem.h"
#if GORT_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace gort::rt {
namespace {

// at_[1], the first of four siblings, begins a cache line.
constexpr size_t kFront = 64 - sizeof(WhenHeap::Entry);

// Pending timers that nobody else refers to are no leaks; LeakSanitizer does not look into mappings
// by itself.
void TellLeakCheck([[maybe_unused]] void* map, [[maybe_unused]] size_t bytes,
                   [[maybe_unused]] bool mapped) {
#if GORT_ASAN
  (mapped ? __lsan_register_root_region : __lsan_unregister_root_region)(map, bytes);
#endif
}

static_assert(sizeof(WhenHeap::Entry) * WhenHeap::kArity == 64, "siblings fill a cache line");

}  // namespace

void WhenHeap::Grow(size_t bytes) {
  char* map = static_cast<char*>(MemMap(bytes, PageSize()));
  if (map == nullptr) MemExhausted("timer heap", bytes);
  Entry* at = reinterpret_cast<Entry*>(map + kFront);
  const size_t n = n_;
  if (n != 0) std::memcpy(at, at_, n * sizeof(Entry));
  Free();
  TellLeakCheck(map, bytes, true);
  at_ = at;
  n_ = n;
  map_ = map;
  map_bytes_ = bytes;
  capacity_ = (bytes - kFront) / sizeof(Entry);
}

void WhenHeap::Free() {
  if (map_ != nullptr) {
    TellLeakCheck(map_, map_bytes_, false);
    MemUnmap(map_, map_bytes_);
  }
  at_ = nullptr;
  map_ = nullptr;
  n_ = capacity_ = map_bytes_ = 0;
}

void WhenHeap::SiftUp(size_t i, Entry e) {
  while (i > 0) {
    size_t parent = (i - 1) / kArity;
    if (at_[parent].when <= e.when) break;
    at_[i] = at_[parent];
    i = parent;
  }
  at_[i] = e;
}

// Fetches the lines of those below the siblings that begin at `first`, of which one is looked at
// next. The upper levels of a large heap, and small ones, are in the cache anyway.
void WhenHeap::PrefetchChildren(size_t first) const {
  constexpr size_t kInCache = 1000;
  if (first < kInCache) return;
  const size_t below = first * kArity + 1;
  if (below + kArity * kArity > n_) return;
  for (size_t i = 0; i < kArity; ++i) __builtin_prefetch(&at_[below + i * kArity], /*rw=*/1);
}

void WhenHeap::SiftDown(size_t i, Entry e) {
  for (;;) {
    size_t first = i * kArity + 1;
    if (first >= n_) break;
    PrefetchChildren(first);
    size_t end = first + kArity < n_ ? first + kArity : n_;
    size_t least = first;
    for (size_t c = first + 1; c < end; ++c) {
      if (at_[c].when < at_[least].when) least = c;
    }
    if (at_[least].when >= e.when) break;
    at_[i] = at_[least];
    i = least;
  }
  at_[i] = e;
}

void WhenHeap::Push(int64_t when, Timer* timer) {
  if (n_ == capacity_) Grow(map_bytes_ == 0 ? PageSize() : map_bytes_ * 2);
  SiftUp(n_++, Entry{when, timer});
}

void WhenHeap::Append(int64_t when, Timer* timer) {
  if (n_ == capacity_) Grow(map_bytes_ == 0 ? PageSize() : map_bytes_ * 2);
  at_[n_++] = Entry{when, timer};
}

void WhenHeap::PopTop() {
  Entry last = at_[--n_];
  if (n_ != 0) SiftDown(0, last);
}

void WhenHeap::RekeyTop(int64_t when) { SiftDown(0, Entry{when, at_[0].timer}); }

void WhenHeap::Rebuild(size_t n) {
  n_ = n;
  if (n < 2) return;
  for (size_t i = (n - 2) / kArity + 1; i-- > 0;) SiftDown(i, at_[i]);
}

void WhenHeap::Shrink() {
  size_t bytes = map_bytes_;
  while (bytes > PageSize() && n_ < (bytes - kFront) / sizeof(Entry) / 8) bytes /= 2;
  if (bytes != map_bytes_) Grow(bytes);
}

void WhenHeap::TakeAll(WhenHeap* other) {
  Free();
  at_ = other->at_;
  n_ = other->n_;
  capacity_ = other->capacity_;
  map_ = other->map_;
  map_bytes_ = other->map_bytes_;
  other->at_ = nullptr;
  other->map_ = nullptr;
  other->n_ = other->capacity_ = other->map_bytes_ = 0;
}

bool WhenHeap::Valid() const {
  for (size_t i = 1; i < n_; ++i) {
    if (at_[(i - 1) / kArity].when > at_[i].when) return false;
  }
  return true;
}

}  // namespace gort::rt
