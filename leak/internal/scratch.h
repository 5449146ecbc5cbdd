// leak/internal/scratch.h: memory that a search works in.
// What      arrays that grow, straight from the OS: while the other threads stand still nobody may call
//           an allocator, because one of them may hold its lock. What a search writes down are
//           addresses of what it looks for, so its own memory must not be searched: Ranges says where it
//           is.
// Layer     9. Package-internal. One search at a time.
#ifndef GORT_LEAK_INTERNAL_SCRATCH_H_
#define GORT_LEAK_INTERNAL_SCRATCH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "gort/gmp/g.h"
#include "gort/platforms/mem.h"

namespace gort::rt {

// [lo, hi) of addresses.
using Range = StackBounds;

// Mappings that are given back together.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() {
    for (int i = 0; i < n_; ++i) {
      MemUnmap(reinterpret_cast<void*>(maps_[i].lo), maps_[i].hi - maps_[i].lo);
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // Zeroed bytes, which live as long as this. Null: none left; failed() from then on.
  void* Map(size_t bytes) {
    const size_t page = PageSize();
    bytes = (bytes + page - 1) / page * page;
    void* p = n_ < kMost && bytes != 0 ? MemMap(bytes, page) : nullptr;
    if (p == nullptr) {
      failed_ = true;
      return nullptr;
    }
    maps_[n_++] = {reinterpret_cast<uintptr_t>(p), reinterpret_cast<uintptr_t>(p) + bytes};
    return p;
  }
  bool failed() const { return failed_; }
  int size() const { return n_; }
  const Range& operator[](int i) const { return maps_[i]; }

 private:
  static constexpr int kMost = 4096;

  int n_ = 0;
  bool failed_ = false;
  Range maps_[kMost];
};

// An array that grows; elements are copied as bytes. What does not fit is lost, and its Scratch failed.
template <class T>
class Grow {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit Grow(Scratch* s) : scratch_(s) {}
  void Push(const T& v) {
    if (n_ == cap_ && !More()) return;
    data_[n_++] = v;
  }
  T Pop() { return data_[--n_]; }
  void Clear() { n_ = 0; }
  size_t size() const { return n_; }
  bool empty() const { return n_ == 0; }
  T* begin() { return data_; }
  T* end() { return data_ + n_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + n_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  void Resize(size_t n) { n_ = n; }  // downwards
  // Room for that many before anything else is mapped.
  bool Reserve(size_t n) {
    while (cap_ < n) {
      if (!More()) return false;
    }
    return true;
  }

 private:
  bool More() {
    const size_t cap = cap_ == 0 ? 65536 / sizeof(T) + 1 : cap_ * 2;
    auto* more = static_cast<T*>(scratch_->Map(cap * sizeof(T)));
    if (more == nullptr) return false;
    if (n_ != 0) memcpy(static_cast<void*>(more), data_, n_ * sizeof(T));
    data_ = more;
    cap_ = cap;
    return true;
  }

  Scratch* const scratch_;
  T* data_ = nullptr;
  size_t n_ = 0;
  size_t cap_ = 0;
};

}  // namespace gort::rt

#endif  // GORT_LEAK_INTERNAL_SCRATCH_H_
