// malloc/internal/mcentral.h: per span class, the spans that have objects to give.
// What      moves batches of objects between caches and spans. One MCentral per span class, each
//           with its own lock, alone on its cache lines.
// Layer     4.                                                     Go: mcentral (mcentral.go)
// Contract  | call       | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | Fetch      |   x    | x  |  x   |    -    |    x    |   -   | from OS   |
//           | Return     |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           Lock rank mcentral; mheap's lock is taken inside Fetch, never inside Return's section.
// Batches   what a cache returns in a whole batch is kept as it is, up to kBatchedBytes a class, and goes
//           to the next cache that wants as many: a thread that frees what another allocated then
//           hands it back without a look at any object. Drain gives these to their spans.
// Lists     a span is in nonempty_ exactly while it has a free or fresh object. It leaves for mheap
//           as soon as none of its objects is out.
// Errors    Fetch: null when the OS has no memory. Return of an object that its span does not miss:
//           fatal "malloc: corrupted free list".
#ifndef GORT_MALLOC_INTERNAL_MCENTRAL_H_
#define GORT_MALLOC_INTERNAL_MCENTRAL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/base/list.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/malloc/internal/mspan.h"
#include "gort/malloc/internal/size_classes.h"

namespace gort::rt {

class alignas(kCacheLine) MCentral {
 public:
  constexpr MCentral() = default;
  MCentral(const MCentral&) = delete;
  MCentral& operator=(const MCentral&) = delete;

  // Up to n > 0 objects of span_class (this central's own) as a list that ends in null; *got says
  // how many. Null and 0: out of memory. Go: (*mcentral).cacheSpan (mcentral.go).
  FreeObject* Fetch(int span_class, size_t n, size_t* got) ABSL_LOCKS_EXCLUDED(lock_);

  // Takes a list of n objects of this class back, from whichever spans. Go: (*mcentral).uncacheSpan
  // (mcentral.go); differs: objects, not spans.
  void Return(int span_class, FreeObject* list, size_t n) ABSL_LOCKS_EXCLUDED(lock_);

  // Returns the batches that are kept. False: there are none.
  bool Drain(int span_class) ABSL_LOCKS_EXCLUDED(lock_);

  // For who looks at the heap while all other threads stand, wherever they are. False: one of them is in
  // the middle of a change here.
  bool AtRest() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (!lock_.TryLock()) return false;
    lock_.Unlock();
    return true;
  }
  // Calls f(first object) for each batch. Requires AtRest, and that it stays so.
  template <class F>
  void ForEachBatch(F f) const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (int i = 0; i < n_batches_; ++i) f(batches_[i]);
  }
  // The same, f(const MSpan&) for each span that has objects to give.
  template <class F>
  void ForEachSpan(F f) const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (const MSpan* s = nonempty_.front(); s != nullptr; s = s->next) f(*s);
  }

  // Objects that batches, caches and users hold. A moment's value.
  uint64_t objects_out() const { return out_.load(std::memory_order_relaxed); }
  // Spans of this class.
  uint64_t spans() const { return spans_.load(std::memory_order_relaxed); }
  // Objects out that lie in batches.
  uint64_t batched() const { return batched_.load(std::memory_order_relaxed); }

  // fork(2): see persistentalloc.h. Not reported to the lock order, which knows one mcentral only.
  void ForkLock() ABSL_NO_THREAD_SAFETY_ANALYSIS { lock_.LockForFork(); }
  void ForkUnlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { lock_.UnlockAfterFork(); }

 private:
  size_t TakeFrom(MSpan* s, size_t n, FreeObject** list) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void ReturnOne(FreeObject* o, List<MSpan>* idle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void ReturnAll(FreeObject* list, List<MSpan>* idle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void SetBatches(int n, size_t objects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  static constexpr int kMaxBatches = 16;
  static constexpr size_t kBatchedBytes = size_t{64} << 10;

  Mutex lock_{LockRank::kMcentral};
  int n_batches_ ABSL_GUARDED_BY(lock_) = 0;
  FreeObject* batches_[kMaxBatches] ABSL_GUARDED_BY(lock_) = {};
  std::atomic<uint64_t> batched_{0};  // written under lock_; read by statistics
  List<MSpan> nonempty_ ABSL_GUARDED_BY(lock_);
  // Written under lock_; read by statistics.
  std::atomic<uint64_t> out_{0};
  std::atomic<uint64_t> spans_{0};
};

// Indexed by span class. Entry 0 is unused.
extern MCentral mcentrals[kNumSpanClasses];

// Returns the batches of all classes to their spans. True: there were some.
bool DrainBatches();

// Debug builds fill freed objects after their link with this, and look for it when reusing them.
inline constexpr unsigned char kFreedByte = 0xdb;
void FillFreed(FreeObject* o, size_t bytes);

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_MCENTRAL_H_
