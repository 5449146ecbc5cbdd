// malloc/internal/sample.h: which allocations a profile of the heap hears of.
// What      each cache counts down the bytes that it hands out; the allocation that meets zero is told to
//           a hook, and the next one lies an exponential distance away, so that each byte has the same
//           chance. A sampled object owns its span, which remembers the hook's note: to free any other
//           object costs nothing more.
// Rate      a cache looks at it every HeapSampler::kStride bytes.
// Layer     4.                                                 Go: nextSample, profilealloc (malloc.go)
// Contract  the hooks are called pinned, with no lock of malloc's held, anywhere where malloc may be
//           called. They allocate nothing from malloc. Between fork(2) and its return the forking thread
//           holds heap_sample_lock, which is all that they may lock.
#ifndef GORT_MALLOC_INTERNAL_SAMPLE_H_
#define GORT_MALLOC_INTERNAL_SAMPLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/base/hook.h"
#include "gort/lock/mutex.h"

namespace gort::rt {

// Bytes between two samples, on average; 0: none are taken; 1: every allocation is one.
extern constinit std::atomic<int64_t> heap_sample_rate;

// An allocation of `bytes` was sampled at `rate`. Returns a note for the other one; null: none.
extern Hook<void*(size_t bytes, int64_t rate)> heap_alloc_hook;
// What the note is of has been freed.
extern Hook<void(void* note)> heap_free_hook;

extern constinit Mutex heap_sample_lock;

// How many bytes to the next sample. Any thread.
int64_t NextHeapSample(int64_t rate);
// Whether an object of so many bytes, which no cache counts, is one. Any thread.
bool IsHeapSample(size_t bytes, int64_t rate);

// A cache's count of bytes. It goes to the next sample by strides, at the end of which a new rate is seen.
class HeapSampler {
 public:
  static constexpr int64_t kStride = 512 << 10;

  // True: Sampled is to be asked.
  bool Met(size_t bytes) {
    left_ -= static_cast<int64_t>(bytes);
    return left_ < 0;
  }
  // The same of an allocation of which Met may have heard already.
  bool MetBefore(size_t bytes) { return left_ < 0 || Met(bytes); }

  // Goes on counting. Returns the rate at which this allocation is a sample, the one of the count that it
  // ends; 0: it is none.
  int64_t Sampled(int64_t rate) {
    while (left_ < 0 && beyond_ > 0 && rate == rate_) Stride();
    if (left_ >= 0) return 0;
    const int64_t ended = beyond_ == 0 ? rate_ : 0;
    rate_ = rate;
    left_ = 0;
    beyond_ = rate > 0 ? NextHeapSample(rate) : kStride;
    Stride();
    return rate > 1 ? ended : rate;
  }

 private:
  void Stride() {
    const int64_t step = beyond_ < kStride ? beyond_ : kStride;
    beyond_ -= step;
    left_ += step;
  }

  int64_t left_ = 0;    // of this stride
  int64_t beyond_ = 0;  // from its end to the sample
  int64_t rate_ = 0;    // at which the distance was drawn; 0: it was not
};

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_SAMPLE_H_
