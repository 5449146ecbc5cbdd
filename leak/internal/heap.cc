#include "gort/leak/internal/heap.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "gort/base/attributes.h"
#include "gort/malloc/internal/mcache.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/malloc/internal/page_map.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/valgrind.h"

namespace gort::rt {
namespace {

// A chunk of glibc's: the size of the one before, if that is free; its own size with flags; the block,
// which ends with the first word of the next chunk.
constexpr uintptr_t kHeader = 16;
constexpr uintptr_t kGrain = 16;
constexpr uintptr_t kMinChunk = 32;
constexpr uintptr_t kPrevInUse = 1, kMapped = 2, kOfThread = 4, kFlags = 7;
// A heap of a thread: its size and alignment, and the words that it begins with.
constexpr uintptr_t kThreadHeap = uintptr_t{64} << 20;
struct HeapInfo {
  uintptr_t arena, prev, size, writable;
};
// The first chunk of the first heap of an arena lies behind the arena, whose size depends on the version.
constexpr uintptr_t kArenaLeast = 0x800, kArenaMost = 0xa00;
// The first block of a program is the main thread's cache, whose chunk has this size.
constexpr uintptr_t kCacheChunk = 0x290;

GORT_ALWAYS_INLINE uintptr_t Word(uintptr_t at) { return *reinterpret_cast<const uintptr_t*>(at); }
uintptr_t SizeWord(uintptr_t chunk) { return Word(chunk + 8); }
uintptr_t SizeOf(uintptr_t chunk) { return SizeWord(chunk) & ~kFlags; }

bool TestBit(const uint64_t* bits, uintptr_t i) { return (bits[i / 64] >> (i % 64) & 1) != 0; }
void SetBit(uint64_t* bits, uintptr_t i) { bits[i / 64] |= uint64_t{1} << (i % 64); }

// The last chunk of a heap that an arena has outgrown is followed by two without a block.
bool IsFence(uintptr_t chunk, uintptr_t hi) {
  return hi - chunk == 2 * kHeader && SizeOf(chunk) == kHeader;
}

// Whether chunks lie from `first` to hi without a gap, and agree with each other. The last one is the
// top, or is followed by a fence. *end: where that begins.
bool AddUp(uintptr_t first, uintptr_t hi, uintptr_t* end) {
  uintptr_t p = first;
  if ((SizeWord(p) & kPrevInUse) == 0) return false;
  while (true) {
    if (IsFence(p, hi)) break;
    const uintptr_t size = SizeOf(p);
    if ((SizeWord(p) & kMapped) != 0 || size < kMinChunk || size % kGrain != 0 || size > hi - p) {
      return false;
    }
    if (size == hi - p) break;
    const uintptr_t next = p + size;
    if (hi - next < kMinChunk) return false;
    if ((SizeWord(next) & kPrevInUse) == 0 && Word(next) != size) return false;
    p = next;
  }
  *end = p;
  return true;
}

}  // namespace

// Two blocks that were freed a moment ago lie in this thread's cache, and both carry the key.
GORT_NOINLINE uintptr_t FreeBlockKey() {
  if (GORT_ASAN || GORT_TSAN || RunningOnValgrind()) return 0;
  uintptr_t seen[2];
  void* blocks[2] = {malloc(104), malloc(104)};
  uintptr_t at[2];
  for (int i = 0; i < 2; ++i) {
    if (blocks[i] == nullptr) return 0;
    at[i] = reinterpret_cast<uintptr_t>(blocks[i]);
    static_cast<volatile uintptr_t*>(blocks[i])[1] = static_cast<uintptr_t>(i) + 1;
  }
  for (void* block : blocks) free(block);
  for (int i = 0; i < 2; ++i) {
    asm volatile("" : "+r"(at[i]));  // the compiler shall not know that this is a freed block
    seen[i] = *reinterpret_cast<volatile uintptr_t*>(at[i] + 8);
  }
  return seen[0] == seen[1] ? seen[0] : 0;
}

void Heap::Find(const Grow<Mapping>& maps, bool whole_libc) {
  if (!areas_.Reserve(4096)) return;
  gort_rests_ = mheap.AtRest();
  for (const Mapping& m : maps) {
    if (!m.readable || !m.writable || m.shared) continue;
    const auto brk = reinterpret_cast<uintptr_t>(sbrk(0)) - 1;
    const bool has_break = m.kind == MapKind::kBreak || (m.lo <= brk && brk < m.hi);
    if (has_break) {
      if (!whole_libc) Break(m);
    } else if (m.kind == MapKind::kAnonymous) {
      Anonymous(m, whole_libc);
    }
  }
  std::sort(areas_.begin(), areas_.end(), [](const Area& a, const Area& b) { return a.lo < b.lo; });
  MakeMarks();
  if (scratch_->failed()) return;
  ForEachFreeList([](FreeObject* list, void* heap) { static_cast<Heap*>(heap)->MarkFree(list); },
                  this);
}

// Makes an area of [lo, hi) if chunks fill it from `first` on (AddUp). What lies before `first` is
// the allocator's own.
bool Heap::Chunks(uintptr_t lo, uintptr_t first, uintptr_t hi) {
  uintptr_t end = 0;
  if (!AddUp(first, hi, &end)) return false;
  const size_t bytes = ((hi - lo) / kGrain / 64 + 1) * sizeof(uint64_t);
  auto* begins = static_cast<uint64_t*>(scratch_->Map(bytes));
  auto* marks = static_cast<uint64_t*>(scratch_->Map(bytes));
  if (begins == nullptr || marks == nullptr) return false;
  for (uintptr_t p = first; p < end; p += SizeOf(p)) {
    const uintptr_t i = (p + kHeader - lo) / kGrain;
    SetBit(begins, i);
    const uintptr_t next = p + SizeOf(p);
    const bool free =
        (SizeWord(next) & kPrevInUse) == 0 || (key_ != 0 && Word(p + kHeader + 8) == key_);
    if (free) SetBit(marks, i);
  }
  // The top: no block, and its header no block's end.
  if (end + kHeader < hi) {
    SetBit(begins, (end + kHeader - lo) / kGrain);
    SetBit(marks, (end + kHeader - lo) / kGrain);
  }
  areas_.Push({.lo = lo,
               .hi = hi,
               .kind = Area::kChunks,
               .marked = false,
               .begins = begins,
               .marks = marks});
  return true;
}

// In a program that is linked statically other things lie before the first chunk.
void Heap::Break(const Mapping& m) {
  const auto hi = std::min(reinterpret_cast<uintptr_t>(sbrk(0)), m.hi);
  const uintptr_t most = std::min(hi, m.lo + (uintptr_t{1} << 20));
  for (uintptr_t p = m.lo; p + kMinChunk < most; p += kGrain) {
    if (SizeOf(p) == kCacheChunk && Chunks(p, p, hi)) return;
  }
}

bool Heap::ThreadHeap(const Mapping& m, uintptr_t heap) {
  const auto* info = reinterpret_cast<const HeapInfo*>(heap);
  const uintptr_t size = info->size;  // never touched: 0
  if (size < 4096 || size % 4096 != 0 || size > info->writable || size > kThreadHeap) return false;
  if (info->writable > m.hi - heap || info->arena % kGrain != 0) return false;
  const uintptr_t hi = heap + size;
  const bool first = info->arena > heap && info->arena - heap <= 0x60;
  const uintptr_t from = first ? info->arena + kArenaLeast : heap + 0x20;
  const uintptr_t to = first ? info->arena + kArenaMost : heap + 0x60;
  for (uintptr_t p = from; p < to && p + kMinChunk < hi; p += kGrain) {
    if ((SizeWord(p) & kOfThread) != 0 && Chunks(heap, p, hi)) return true;
  }
  return false;
}

// Makes areas of the blocks in [lo, hi), if each chunk there has a mapping of its own: the kernel
// shows neighbours as one mapping.
void Heap::LargeBlocks(uintptr_t lo, uintptr_t hi) {
  auto fits = [hi](uintptr_t p) {
    const uintptr_t size = SizeOf(p);
    return (SizeWord(p) & kFlags) == kMapped && Word(p) == 0 && size >= 4096 && size % 4096 == 0 &&
           size <= hi - p;
  };
  uintptr_t p = lo;
  while (p < hi && fits(p)) p += SizeOf(p);
  if (p != hi) return;
  for (p = lo; p < hi; p += SizeOf(p)) {
    areas_.Push({p, p + SizeOf(p), Area::kOne, false, nullptr, nullptr});
  }
}

// A block may reach from one area into the next: they are one.
void Heap::GortArea(uintptr_t lo, uintptr_t hi) {
  if (lo == hi) return;
  Area* last = areas_.empty() ? nullptr : areas_.end() - 1;
  if (last != nullptr && last->kind == Area::kGort && last->hi == lo) {
    last->hi = hi;
  } else {
    areas_.Push({lo, hi, Area::kGort, false, nullptr, nullptr});
  }
}

// The end of the span that holds p; 0: no span does. The caller asks for ascending p, because the
// page map knows a large block by its first and its last page alone.
uintptr_t Heap::SpanEnd(uintptr_t p) {
  if (p < span_end_) return span_end_;
  const MSpan* s = page_map.Get(p);
  if (s == nullptr || s->state.load(std::memory_order_relaxed) == SpanState::kDead) return 0;
  const uintptr_t end = s->base + s->bytes();
  if (p < s->base || p >= end) return 0;
  if (s->in_use() && s->elem_bytes == 0) large_.Push({s->base, end});
  return span_end_ = end;
}

// Makes areas of those parts of [lo, hi), in one arena, that spans of gort's heap cover.
void Heap::GortArena(uintptr_t lo, uintptr_t hi) {
  constexpr uintptr_t kPage = uintptr_t{1} << kHeapPageShift;
  uintptr_t begin = lo;
  for (uintptr_t p = lo; p < hi;) {
    const uintptr_t end = SpanEnd(p);
    p = end != 0 ? std::min(hi, end) : p + kPage;
    if (end != 0) GortArea(begin, p);
    begin = p;
  }
}

void Heap::MakeMarks() {
  for (Area& a : areas_) {
    if (a.kind != Area::kGort) continue;
    const size_t bytes = ((a.hi - a.lo) / kGrain / 64 + 1) * sizeof(uint64_t);
    a.marks = static_cast<uint64_t*>(scratch_->Map(bytes));
  }
}

// Marks the objects of a list, up to the first entry that is no free object.
void Heap::MarkFree(const FreeObject* list) {
  for (const FreeObject* o = list; o != nullptr; o = o->next) {
    const auto at = reinterpret_cast<uintptr_t>(o);
    const Block b = BlockAt(at);
    if (b.area == nullptr || b.area->kind != Area::kGort || b.lo != at || !Mark(b)) return;
  }
}

void Heap::Anonymous(const Mapping& m, bool whole_libc) {
  if (!MemReadable(reinterpret_cast<void*>(m.lo))) return;
  bool gorts = false;
  for (uintptr_t lo = m.lo; lo < m.hi;) {
    const uintptr_t hi = std::min(m.hi, (lo | (kArenaBytes - 1)) + 1);
    if (page_map.Covers(lo)) {
      if (gort_rests_) GortArena(lo, hi);
      gorts = true;
    } else if (!whole_libc && lo % kThreadHeap == 0) {
      ThreadHeap(m, lo);
    }
    lo = hi;
  }
  if (!whole_libc && !gorts) LargeBlocks(m.lo, m.hi);
}

Heap::Area* Heap::AreaOf(uintptr_t p) {
  if (last_ != nullptr && p - last_->lo < last_->hi - last_->lo) return last_;
  Area* at = std::upper_bound(areas_.begin(), areas_.end(), p,
                              [](uintptr_t v, const Area& a) { return v < a.lo; });
  if (at == areas_.begin() || p >= (at - 1)->hi) return nullptr;
  last_ = at - 1;
  return last_;
}

Heap::Block Heap::InChunks(Area* a, uintptr_t p) {
  const uintptr_t bit = (p - a->lo) / kGrain;
  uintptr_t word = bit / 64;
  uint64_t bits = a->begins[word] & (~uint64_t{0} >> (63 - bit % 64));
  while (bits == 0) {
    if (word == 0) return {};
    bits = a->begins[--word];
  }
  const auto at = word * 64 + 63 - static_cast<uintptr_t>(std::countl_zero(bits));
  const uintptr_t lo = a->lo + at * kGrain;
  const uintptr_t hi = lo - kHeader + SizeOf(lo - kHeader) + 8;
  if (p >= hi) return {};
  return {a, lo, std::min(hi, a->hi)};
}

Heap::Block Heap::InGort(Area* a, uintptr_t p) const {
  const MSpan* s = page_map.Get(p);
  if (s == nullptr || !s->in_use() || p < s->base || p >= s->base + s->bytes())
    return InLarge(a, p);
  if (s->elem_bytes == 0) return {a, s->base, s->base + s->bytes()};
  const uintptr_t lo = s->base + uintptr_t{s->IndexOf(p)} * s->elem_bytes;
  return {a, lo, lo + s->elem_bytes};
}

Heap::Block Heap::InLarge(Area* a, uintptr_t p) const {
  const Range* r = std::upper_bound(large_.begin(), large_.end(), p,
                                    [](uintptr_t v, const Range& l) { return v < l.hi; });
  if (r == large_.end() || p < r->lo) return {};
  return {a, r->lo, r->hi};
}

Heap::Block Heap::BlockAt(uintptr_t p) {
  Area* a = AreaOf(p);
  if (a == nullptr) return {};
  switch (a->kind) {
    case Area::kChunks:
      return InChunks(a, p);
    case Area::kOne:
      return {a, a->lo, a->hi};
    case Area::kGort:
      return InGort(a, p);
  }
  return {};
}

bool Heap::Marked(const Block& b) const {
  return b.area->marks == nullptr ? b.area->marked
                                  : TestBit(b.area->marks, (b.lo - b.area->lo) / kGrain);
}

bool Heap::Mark(const Block& b) {
  if (Marked(b)) return false;
  if (b.area->marks == nullptr) {
    b.area->marked = true;
  } else {
    SetBit(b.area->marks, (b.lo - b.area->lo) / kGrain);
  }
  return true;
}

bool Heap::HeaderAt(uintptr_t p) {
  if (p % kGrain != 0) return false;
  const Area* a = AreaOf(p);
  return a != nullptr && a->kind == Area::kChunks && p + kHeader < a->hi &&
         TestBit(a->begins, (p + kHeader - a->lo) / kGrain);
}

}  // namespace gort::rt
