// malloc/internal/mspan.h: the record of one run of heap pages.
// What      a span is either free (a node of the page allocator's tree), or in use: cut into
//           objects of one size class, or one large object.
// Layer     4.                                                             Go: mspan (mheap.go)
// Ownership the state says who may touch the rest:
//           kFree   the page allocator, under mheap's lock.
//           kInUse  the fields of identity (base … span_class) are constant and readable by anyone
//                   who holds a live object of the span; the free list belongs to the mcentral of
//                   its class, under that lock. A large span belongs to whoever holds its object.
//           kReleasing  free, but not the tree's: whoever gives its memory back to the OS has it.
//           kDead   nobody: the record lies in the fixalloc. Records never return to the OS, so a
//                   stale pointer to one can be read (and is then told by its state and bounds).
#ifndef GORT_MALLOC_INTERNAL_MSPAN_H_
#define GORT_MALLOC_INTERNAL_MSPAN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/list.h"
#include "gort/malloc/internal/size_classes.h"

namespace gort::rt {

// A page number: address >> kHeapPageShift.
using PageId = uintptr_t;

inline PageId PageOf(uintptr_t address) { return address >> kHeapPageShift; }
inline uintptr_t PageAddress(PageId page) { return page << kHeapPageShift; }

// What a freed small object holds.
struct FreeObject {
  FreeObject* next;
};

enum class SpanState : uint8_t { kDead, kFree, kInUse, kReleasing };

struct alignas(kCacheLine) MSpan : ListNode<MSpan> {
  // Identity. Written under mheap's lock when the state changes, constant while kInUse.
  uintptr_t base = 0;  // address of the first byte
  size_t n_pages = 0;
  size_t n_released = 0;    // kFree: of its pages, those without memory; guarded by mheap's lock
  uint32_t elem_bytes = 0;  // object size; 0 for a large object
  uint32_t elem_magic = 0;  // see SizeClass::magic
  uint16_t n_elems = 0;
  uint8_t span_class = 0;
  // atomic (relaxed reads by Free for its checks; writes under mheap's lock).
  std::atomic<SpanState> state{SpanState::kDead};
  bool needs_zero = true;  // false: every byte was zero when the span was handed out
  // kFree: in SpanLists, whether it has memory to give to the OS; in the tree, whether it or a span
  // below it has. Guarded by mheap's lock.
  bool releasable = false;
  // Of a large object that a profile has sampled: its note (sample.h).
  void* sample = nullptr;

  // kInUse and small: guarded by the lock of its mcentral.
  uint16_t n_fresh = 0;  // objects [n_fresh, n_elems) were never handed out
  uint16_t n_out = 0;    // objects that caches or users hold
  FreeObject* free_list = nullptr;

  // kFree and long: node of PageAlloc's tree, guarded by mheap's lock.
  MSpan* left = nullptr;
  MSpan* right = nullptr;
  MSpan* parent = nullptr;
  uint32_t priority = 0;

  // Debug builds: bit i is set while object i is in the user's hands. atomic: Free on any thread.
  static constexpr int kLiveWords = kDebug ? (kMaxObjectsPerSpan + 63) / 64 : 1;
  std::atomic<uint64_t> live[kLiveWords] = {};

  size_t bytes() const { return n_pages << kHeapPageShift; }
  PageId first_page() const { return PageOf(base); }
  PageId end_page() const { return first_page() + n_pages; }
  bool in_use() const { return state.load(std::memory_order_relaxed) == SpanState::kInUse; }
  // Index of the object that holds the byte at p. Requires: small, base <= p < base + bytes().
  uint32_t IndexOf(uintptr_t p) const {
    return static_cast<uint32_t>(uint64_t{p - base} * elem_magic >> 32);
  }
};

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_MSPAN_H_
