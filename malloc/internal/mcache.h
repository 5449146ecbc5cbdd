// malloc/internal/mcache.h: free objects that one P or one thread has at hand, without locks.
// What      a free list per span class, filled from and returned to mcentral in batches, and the
//           block that tiny objects are cut from.
// Layer     4.                                                          Go: mcache (mcache.go)
// Ownership one owner at a time: the thread whose t_mcache points here (current_mcache.h), or
//           whoever holds the cache while no thread does. Handing it over needs a happens-before
//           edge (the scheduler's: releasing and acquiring the P).
// Contract  | call          | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | Alloc, Free   |   x    | x  |  x   |    -    |    x    |   -   | from OS   |
//           | AllocMCache   |   x    | x  |  x   |    -    |    x    |   -   | from OS   |
//           | FreeMCache    |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           Locks taken, if any: scavenge, mcentral, mheap, persistent. No switch of goroutines
//           can fall inside a call: malloc is pinned (platforms/pins.h).
// Lengths   a list may hold `limit` objects. The limit doubles with use from 1 to two batches, so
//           that a class that is used once keeps one object and a busy one moves whole batches.
#ifndef GORT_MALLOC_INTERNAL_MCACHE_H_
#define GORT_MALLOC_INTERNAL_MCACHE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/list.h"
#include "gort/malloc/internal/mcentral.h"
#include "gort/malloc/internal/mspan.h"
#include "gort/malloc/internal/sample.h"
#include "gort/malloc/internal/size_classes.h"

namespace gort::rt {

// Tiny objects: requests up to kTinyBytes, in slots of that size. The last slot of a block is the
// set of live slots (the first two are the link of a free block); its own bit says that a cache
// still cuts objects from the block. In a free block the set is empty.
inline constexpr size_t kTinyBytes = 4;
inline constexpr size_t kTinyBlockBytes = 64;
inline constexpr int kTinySlots = static_cast<int>(kTinyBlockBytes / kTinyBytes) - 1;

class MCache : public ListNode<MCache> {
 public:
  constexpr MCache() = default;
  MCache(const MCache&) = delete;
  MCache& operator=(const MCache&) = delete;

  // An object of span_class (not 0). Null: out of memory.
  void* Alloc(int span_class) {
    void* p = Take(span_class);
    return GORT_LIKELY(p != nullptr) ? p : Refill(span_class);
  }

  // Whether o was the last object of span_class to come here, and lies here.
  bool IsFirst(const void* o, int span_class) const { return heads_[span_class] == o; }
  // An object of span_class from what lies here. Null: nothing does.
  GORT_ALWAYS_INLINE void* Take(int span_class) {
    return GORT_LIKELY(heads_[span_class] != nullptr) ? TakeFirst(span_class) : nullptr;
  }

  // The same, counted as `bytes` for the sampler. Null: nothing lies here, or the sampler is to be
  // asked first.
  GORT_ALWAYS_INLINE void* TakeCounted(int span_class, size_t bytes) {
    if (GORT_UNLIKELY(heads_[span_class] == nullptr || sampler_.Met(bytes))) return nullptr;
    return TakeFirst(span_class);
  }

  // Takes object o of span_class (not 0) back. Fatal when o was freed last.
  void Free(FreeObject* o, int span_class) {
    if (Give(o, span_class)) TooLong(span_class);
  }

  // The same. True: the list is too long now, and TooLong has to be called.
  [[nodiscard]] GORT_ALWAYS_INLINE bool Give(FreeObject* o, int span_class) {
    FreeObject*& head = heads_[span_class];
    Length& l = lengths_[span_class];
    if (GORT_UNLIKELY(o == head)) MallocFatal("double free", o);
    if constexpr (kDebug) CheckFreed(o);
    o->next = head;
    // In this order, also for who has stopped the thread in between (ForEachFreeList).
    std::atomic_signal_fence(std::memory_order_release);
    head = o;
    const uint32_t n = l.get_length() + 1;
    l.set_length(n);
    return n > l.limit;
  }
  // Makes the list shorter, or its limit higher; a list that is not too long stays as it is.
  void TooLong(int span_class);

  // kTinyBytes bytes, aligned to as much. Null: out of memory. Go: the tiny path of mallocgc
  // (malloc.go); differs: see mheap.h.
  GORT_ALWAYS_INLINE void* AllocTiny() {
    if (GORT_UNLIKELY(tiny_next_ == kTinySlots) && !NewTinyBlock()) return nullptr;
    return tiny_block_ + kTinyBytes * static_cast<size_t>(tiny_next_++);
  }
  // Takes a tiny object back: p lies in a page of tiny objects. Fatal when the object is not live.
  void FreeTiny(void* p);

  // Returns everything to the central lists. The cache stays usable. Go: (*mcache).releaseAll
  // (mcache.go).
  void Flush();

  // What profiles of the heap go by. Owner only.
  HeapSampler& sampler() { return sampler_; }

  // The first object of span_class here. Owner, or who has stopped it.
  FreeObject* First(int span_class) const { return heads_[span_class]; }

  // Objects of span_class held here. Any thread; a moment's value.
  uint32_t Cached(int span_class) const { return lengths_[span_class].get_length(); }

 private:
  struct Length {
    // Written by the owner only, read by statistics: relaxed, orders nothing.
    std::atomic<uint32_t> length{0};
    uint32_t limit = 1;  // owner only

    uint32_t get_length() const { return length.load(std::memory_order_relaxed); }
    void set_length(uint32_t n) { length.store(n, std::memory_order_relaxed); }
  };

  GORT_ALWAYS_INLINE void* TakeFirst(int span_class) {
    FreeObject* o = heads_[span_class];
    Length& l = lengths_[span_class];
    if constexpr (kDebug) CheckTaken(o, span_class);
    heads_[span_class] = o->next;
    l.set_length(l.get_length() - 1);
    return o;
  }
  void* Refill(int span_class);
  // Gives the first n objects of the list back.
  void ReturnSome(int span_class, uint32_t n);
  bool NewTinyBlock();
  void DropTinyBlock();
  static void CheckTaken(FreeObject* o, int span_class);
  static void CheckFreed(FreeObject* o);

  // All fields but the lengths: owner only.
  HeapSampler sampler_;
  // Apart, so that a class is the index of both: to make an address of it costs a free nothing.
  FreeObject* heads_[kNumSpanClasses] = {};
  Length lengths_[kNumSpanClasses];
  char* tiny_block_ = nullptr;  // what AllocTiny cuts from; null: none
  int tiny_next_ = kTinySlots;  // its first slot that was never handed out
};

// A new, empty cache. Null: out of memory. Go: allocmcache (mcache.go).
MCache* TryAllocMCache();
// The same for who cannot do without: out of memory is fatal.
MCache* AllocMCache();
// Flushes c and takes it back. No thread may use it any more. Not for mcache0, whose P 0 lives as
// long as the process (fatal), nor shared_mcache. Go: freemcache (mcache.go).
void FreeMCache(MCache* c);

// Objects of span_class in all caches together, and in batches of the mcentral's. A moment's value.
uint64_t CachedObjects(int span_class);

// Calls f with the first object of each list of free objects that caches, batches and spans hold, as far
// as nobody is in the middle of changing them. For who has stopped all other threads, wherever they are:
// takes no lock. A list of which a program has written into freed memory leads anywhere.
void ForEachFreeList(void (*f)(FreeObject* first, void* arg), void* arg);

// The statically allocated first cache; see current_mcache.h. Go: mcache0 (mcache.go).
extern MCache mcache0;
// The cache that threads without one of their own share; see current_mcache.h.
extern MCache shared_mcache;

// fork(2): see persistentalloc.h.
void MCacheForkLock();
void MCacheForkUnlock();

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_MCACHE_H_
