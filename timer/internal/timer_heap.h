// timer/internal/timer_heap.h: a 4-ary min-heap of (time, timer), nothing more.
// What      WhenHeap orders entries by `when`. It never looks into a timer, so that sifting touches
//           no memory but its own array, and the four children of a node share a cache line.
// Layer     8, used by timer only.                                Go: timers.heap (time.go)
// Invariant entry(i).when <= entry(c).when for every child c in 4i+1 .. 4i+4.
// Storage   one mapping straight from the OS, doubled when full, halved by Shrink. Not malloc: a
//           heap grows on g0 with the heap's lock held, where re-entering an allocator (the
//           program may have replaced it) is not allowed; a mapping takes no user-space lock.
//           Out of memory is fatal: "out of memory (timer heap)".
// Safety    not locked: the owner serialises. Any thread, any stack but the signal stack.
#ifndef GORT_TIMER_INTERNAL_TIMER_HEAP_H_
#define GORT_TIMER_INTERNAL_TIMER_HEAP_H_

#include <cstddef>
#include <cstdint>

namespace gort::rt {

struct Timer;

class WhenHeap {
 public:
  struct Entry {
    int64_t when;  // monotonic nanoseconds
    Timer* timer;  // never dereferenced here
  };
  static constexpr size_t kArity = 4;

  constexpr WhenHeap() = default;
  // No destructor: the heaps of Ps are static, and threads still run them while a program exits.
  // Others are given up by Free.
  ~WhenHeap() = default;
  WhenHeap(const WhenHeap&) = delete;
  WhenHeap& operator=(const WhenHeap&) = delete;

  size_t size() const { return n_; }
  bool empty() const { return n_ == 0; }
  size_t capacity() const { return capacity_; }

  // Requires: !empty().
  const Entry& top() const { return at_[0]; }

  // O(log n); O(1) when `when` is later than its ancestors, as timers of one length are.
  void Push(int64_t when, Timer* timer);
  // Removes the top. Requires: !empty(). O(log n).
  void PopTop();
  // Removes the entry that stands last in the array, which disturbs nobody. Requires: !empty().
  const Entry& last() const { return at_[n_ - 1]; }
  void PopLast() { --n_; }
  // Changes the top's key, to anything. Requires: !empty(). O(log n).
  void RekeyTop(int64_t when);

  // The entries in no order, [0, size()), for a caller that rewrites or drops several of them;
  // Rebuild(n) then says that the first n count, and restores the order. O(n).
  Entry* entries() { return at_; }
  void Rebuild(size_t n);
  // Adds without restoring the order; Rebuild must follow before anything else but Append.
  void Append(int64_t when, Timer* timer);
  // Gives memory back when less than an eighth of it is used.
  void Shrink();
  // Takes everything from other, leaving it empty. Requires: empty().
  void TakeAll(WhenHeap* other);

  // Gives all memory back; the heap is then empty and usable.
  void Free();

  // True when the invariant holds. O(n). For tests.
  bool Valid() const;

 private:
  void Grow(size_t bytes);
  void SiftUp(size_t i, Entry e);
  void SiftDown(size_t i, Entry e);
  void PrefetchChildren(size_t first) const;

  Entry* at_ = nullptr;  // inside the mapping, placed so that at_[1] begins a cache line
  size_t n_ = 0;
  size_t capacity_ = 0;
  void* map_ = nullptr;
  size_t map_bytes_ = 0;
};

}  // namespace gort::rt

#endif  // GORT_TIMER_INTERNAL_TIMER_HEAP_H_
