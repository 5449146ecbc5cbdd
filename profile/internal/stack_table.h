// profile/internal/stack_table.h: sums for each stack that was seen.
// What      a hash table from a stack with labels to four numbers. Entries are added and never taken
//           away, so that readers go through them while others are added.
// Memory    from the OS, because it is filled inside malloc, on threads without a P, and while the world
//           stands. At most kMaxBytes; what does not fit is counted as lost. Labels may be of any number
//           (each request its own), stacks are not: once half of the memory is used, new entries have no
//           labels.
// Layer     8. Find and Add: one caller at a time (the caller's lock). ForEach: anybody, any time, but
//           not beside Clear.
// Go        bucket, stkbucket (mprof.go), profMap (runtime/pprof)
#ifndef GORT_PROFILE_INTERNAL_STACK_TABLE_H_
#define GORT_PROFILE_INTERNAL_STACK_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/gmp/labels.h"

namespace gort::rt {

inline constexpr int kMaxStack = 96;  // frames of a sample; the innermost ones are kept
inline constexpr int kSums = 4;

struct StackSums {
  std::atomic<double> sum[kSums] = {};  // written by the one who may call Add
  StackSums* same_hash = nullptr;
  StackSums* older = nullptr;
  uint64_t hash = 0;
  LabelSet* labels = nullptr;  // kept by the table
  int n = 0;

  const uintptr_t* pcs() const { return reinterpret_cast<const uintptr_t*>(this + 1); }
  uintptr_t* pcs() { return reinterpret_cast<uintptr_t*>(this + 1); }
  double value(int which) const { return sum[which].load(std::memory_order_relaxed); }
  void Add(int which, double v) {
    sum[which].store(value(which) + v, std::memory_order_relaxed);  // one writer
  }
};
static_assert(sizeof(StackSums) % alignof(uintptr_t) == 0);

class StackTable {
 public:
  constexpr StackTable() = default;
  StackTable(const StackTable&) = delete;
  StackTable& operator=(const StackTable&) = delete;

  // The sums of the n addresses at pcs (Frame::lookup_pc, innermost first) with these labels, which are
  // the caller's still. Null: there is no room; that is counted.
  StackSums* Find(const uintptr_t* pcs, int n, LabelSet* labels);
  // f(const StackSums&), the newest first.
  template <class F>
  void ForEach(F f) const {
    // pairs with: Make
    for (const StackSums* s = newest_.load(std::memory_order_acquire); s != nullptr; s = s->older)
      f(*s);
  }
  int64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  void Lost() { lost_.fetch_add(1, std::memory_order_relaxed); }
  // Forgets everything and gives the memory back. Frees sets of labels: a goroutine, or a thread that
  // gort did not make.
  void Clear();

 private:
  static constexpr size_t kBuckets = size_t{1} << 14;
  static constexpr size_t kChunkBytes = size_t{256} << 10;
  static constexpr size_t kMaxBytes = size_t{64} << 20;
  static constexpr size_t kMaxLabelled = kMaxBytes / 2;

  struct Chunk {
    Chunk* next;
    size_t bytes;
  };

  void* Alloc(size_t bytes);
  // False: no memory.
  bool HasBuckets();
  StackSums* FindOrMake(const uintptr_t* pcs, int n, LabelSet* labels);
  StackSums* Make(const uintptr_t* pcs, int n, LabelSet* labels, uint64_t hash);
  bool MoreRoom(size_t bytes);

  StackSums** buckets_ = nullptr;  // [kBuckets]; null: none yet
  std::atomic<StackSums*> newest_{nullptr};
  Chunk* chunks_ = nullptr;
  size_t used_ = 0;   // of the first chunk
  size_t total_ = 0;  // of all chunks
  std::atomic<int64_t> lost_{0};
};

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_STACK_TABLE_H_
