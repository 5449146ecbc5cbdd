#include "gort/malloc/internal/mheap.h"

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/base/throw.h"
#include "gort/platforms/mem.h"

#if GORT_ASAN
// LeakSanitizer must look into our objects for pointers to other allocators' objects.
extern "C" void __lsan_register_root_region(const void* p, size_t bytes);
#endif

namespace gort::rt {

constinit PageMap page_map;
constinit MHeap mheap{&page_map};

namespace {

// The heap grows by at least this much: one mprotect per 4 MiB. Go: pallocChunkBytes.
constexpr size_t kGrowBytes = size_t{4} << 20;
// What it grows by where the system charges for memory before it is used and has so little left: a
// multiple of any system's page.
constexpr size_t kLeastGrowBytes = size_t{64} << 10;
// A reservation doubles with the heap between these. They cost address space only.
constexpr size_t kMinReserve = kArenaBytes;
constexpr size_t kMaxReserve = size_t{1} << 30;

void SetUpInUse(MSpan* s, int span_class) {
  const SizeClass& c = kSizeClasses[span_class];
  s->span_class = static_cast<uint8_t>(span_class);
  s->elem_bytes = c.size;
  s->elem_magic = c.magic;
  s->n_elems = c.objects;
  s->n_fresh = 0;
  s->n_out = 0;
  s->free_list = nullptr;
  if constexpr (kDebug) {
    for (auto& word : s->live) word.store(0, std::memory_order_relaxed);
  }
}

}  // namespace

GORT_COLD void MallocFatal(const char* what, const void* p) noexcept {
  char text[160];
  {
    Printer out(text, sizeof text - 1);
    out << "malloc: " << what << ": " << p;
    text[out.size()] = '\0';
  }
  Throw(text);
}

MSpan* MHeap::AllocSpan(size_t n_pages, size_t align_pages, int span_class) {
  if (n_pages == 0 || n_pages + align_pages > (size_t{1} << (kAddressBits - kHeapPageShift))) {
    return nullptr;
  }
  LockGuard guard(&lock_);
  if (!pages_.ReserveRecords()) return nullptr;
  MSpan* s = pages_.Alloc(n_pages, align_pages);
  if (s == nullptr) {
    if (!Grow(n_pages + align_pages - 1)) return nullptr;
    s = pages_.Alloc(n_pages, align_pages);
    if (s == nullptr) Throw("malloc: the heap grew and still has no room");
  }
  Publish();
  SetUpInUse(s, span_class);
  // An object inside a span of many is found through its own page; a large one through its first.
  if (span_class != 0) {
    page_map.SetRange(s->first_page(), n_pages, s);
    page_map.SetClasses(s->first_page(), n_pages, span_class);
  } else {
    large_pages_ += n_pages;
    ++large_objects_;
  }
  return s;
}

void MHeap::FreeSpan(MSpan* s) {
  LockGuard guard(&lock_);
  // Two threads that free one large object at the same time may both have found it in use.
  if (!s->in_use()) MallocFatal("double free", reinterpret_cast<void*>(s->base));
  if (s->span_class == 0) {
    large_pages_ -= s->n_pages;
    --large_objects_;
  } else {
    page_map.SetClasses(s->first_page(), s->n_pages, 0);
  }
  pages_.Free(s);
  Publish();
}

size_t MHeap::ReleaseSome(size_t max_bytes) {
  if (max_bytes == 0) return 0;
  MSpan* s;
  {
    LockGuard guard(&lock_);
    s = pages_.TakeResident(AlignUp(max_bytes, kHeapPageSize) >> kHeapPageShift);
  }
  if (s == nullptr) return 0;
  const size_t bytes = s->bytes();
  const bool released = MemRelease(reinterpret_cast<void*>(s->base), bytes);
  LockGuard guard(&lock_);
  pages_.PutBack(s, released);
  Publish();
  return released ? bytes : 0;
}

void MHeap::Publish() {
  const size_t idle = pages_.free_pages() - pages_.released_pages();
  idle_bytes_.store(idle << kHeapPageShift, std::memory_order_relaxed);
  inuse_bytes_.store(pages_.inuse_pages() << kHeapPageShift, std::memory_order_relaxed);
}

HeapStats MHeap::ReadStats() {
  LockGuard guard(&lock_);
  HeapStats out;
  out.reserved = reserved_;
  out.inuse = pages_.inuse_pages() * kHeapPageSize;
  out.free = pages_.free_pages() * kHeapPageSize;
  out.released = pages_.released_pages() * kHeapPageSize;
  out.large = large_pages_ * kHeapPageSize;
  out.large_objects = large_objects_;
  out.sys = out.inuse + out.free;
  return out;
}

// Hands the page allocator a free run of at least n_pages. Go: (*mheap).grow (mheap.go).
bool MHeap::Grow(size_t n_pages) {
  const size_t least = AlignUp(n_pages << kHeapPageShift, kLeastGrowBytes);
  const size_t bytes = AlignUp(least, kGrowBytes);
  if (end_ - next_ < bytes) {
    // The rest of the old reservation costs nothing, so it is not lost: it becomes free pages.
    if (next_ != end_ && !Commit(end_ - next_)) return false;
    if (!Reserve(bytes)) return false;
  }
  return Commit(bytes) || Commit(least);
}

bool MHeap::Reserve(size_t bytes) {
  if (reserved_ == 0) {
    const size_t physical = PageSize() / kHeapPageSize;
    if (physical > kGrowBytes / kHeapPageSize) Throw("malloc: the OS's pages are too large");
    if (physical > 1) pages_.set_physical_pages(physical);
  }
  size_t want = reserved_;
  if (want < kMinReserve) want = kMinReserve;
  if (want > kMaxReserve) want = kMaxReserve;
  const size_t least = AlignUp(bytes, kArenaBytes);
  if (want < least) want = least;
  void* p = MemReserve(want, kArenaBytes);
  if (p == nullptr) {
    want = least;
    p = MemReserve(want, kArenaBytes);
  }
  if (p == nullptr) {  // a limit is near: no more than is needed
    want = bytes;
    p = MemReserve(want, kGrowBytes);
  }
  if (p == nullptr) return false;
  const uintptr_t base = reinterpret_cast<uintptr_t>(p);
  if ((base + want - 1) >> kAddressBits != 0) Throw("malloc: address beyond 48 bits");
  next_ = base;
  end_ = base + want;
  reserved_ += want;
#if GORT_ASAN
  __lsan_register_root_region(p, want);
#endif
  return true;
}

// Makes the next bytes of the reservation usable and gives them to the page allocator.
bool MHeap::Commit(size_t bytes) {
  if (!MemCommit(reinterpret_cast<void*>(next_), bytes)) return false;
  if (!pages_.Grow(PageOf(next_), bytes >> kHeapPageShift)) return false;  // may be tried again
  next_ += bytes;
  return true;
}

}  // namespace gort::rt
