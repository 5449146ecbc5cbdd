// malloc/internal/sample.h: which allocations a profile of the heap hears of.
// What      each cache counts down the bytes that it hands out; the allocation that meets zero is told to
//           a hook, and the next one lies an exponential distance away, so that each byte has the same
//           chance. A sampled object owns its span, which remembers the hook's note: to free any other
//           object costs nothing more.
// Off       the count starts again every kIdleStride bytes, so that a cache notices a new rate.
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

// A cache's count of bytes.
class HeapSampler {
 public:
  static constexpr int64_t kIdleStride = 512 << 10;

  // True: Sampled is to be asked.
  bool Met(size_t bytes) {
    left_ -= static_cast<int64_t>(bytes);
    return left_ < 0;
  }
  // Begins anew; true: this allocation is a sample.
  bool Sampled(int64_t rate) {
    const bool was_on = on_;
    on_ = rate > 0;
    left_ = on_ ? NextHeapSample(rate) : kIdleStride;
    return on_ && (was_on || rate == 1);
  }

 private:
  int64_t left_ = 0;
  bool on_ = false;  // left_ was drawn by chance
};

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_SAMPLE_H_
