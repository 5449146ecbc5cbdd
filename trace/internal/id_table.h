// trace/internal/id_table.h: values by number.
// What      a hash table with open addressing whose memory comes from the system, because the program's
//           malloc is what a trace may be about.
// Layer     7. One thread at a time.
#ifndef GORT_TRACE_INTERNAL_ID_TABLE_H_
#define GORT_TRACE_INTERNAL_ID_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "gort/base/throw.h"
#include "gort/platforms/mem.h"

namespace gort::rt {

// V: trivial, and zero when it is new. Keys are not 0.
template <class V>
class IdTable {
 public:
  IdTable() = default;
  ~IdTable() { Clear(); }
  IdTable(const IdTable&) = delete;
  IdTable& operator=(const IdTable&) = delete;

  // Null: none. Valid until the next Add or Remove.
  V* Find(uint64_t key) {
    if (n_ == 0) return nullptr;
    Slot& s = slots_[Place(key)];
    return s.key == key ? &s.value : nullptr;
  }
  // The one that is there, or a new one.
  V& Add(uint64_t key) {
    if (n_ * 2 >= size_) Grow();
    Slot& s = slots_[Place(key)];
    if (s.key == 0) {
      s.key = key;
      ++n_;
    }
    return s.value;
  }
  void Remove(uint64_t key) {
    if (n_ == 0) return;
    size_t i = Place(key);
    if (slots_[i].key == 0) return;
    --n_;
    // Those behind it move up, so that the way to each stays without a gap.
    for (size_t k = i;;) {
      k = (k + 1) & (size_ - 1);
      if (slots_[k].key == 0) break;
      const size_t home = Home(slots_[k].key);
      if (((k - home) & (size_ - 1)) < ((k - i) & (size_ - 1))) continue;
      slots_[i] = slots_[k];
      i = k;
    }
    slots_[i] = Slot{};
  }
  // f(key, value) for each, in no order; f neither adds nor removes.
  template <class F>
  void ForEach(F&& f) {
    for (size_t i = 0; i < size_; ++i) {
      if (slots_[i].key != 0) f(slots_[i].key, slots_[i].value);
    }
  }
  void Clear() {
    if (slots_ != nullptr) MemUnmap(slots_, Bytes(size_));
    slots_ = nullptr;
    size_ = 0;
    n_ = 0;
  }

 private:
  struct Slot {
    uint64_t key;
    V value;
  };

  static size_t Bytes(size_t slots) {
    return (slots * sizeof(Slot) + PageSize() - 1) / PageSize() * PageSize();
  }
  size_t Home(uint64_t key) const { return (key * 0x9e3779b97f4a7c15ULL >> 20) & (size_ - 1); }
  size_t Place(uint64_t key) const {
    size_t i = Home(key);
    while (slots_[i].key != 0 && slots_[i].key != key) i = (i + 1) & (size_ - 1);
    return i;
  }
  void Grow() {
    Slot* old = slots_;
    const size_t old_size = size_;
    size_ = old_size != 0 ? old_size * 2 : 1024;
    slots_ = static_cast<Slot*>(MemMap(Bytes(size_), PageSize()));
    if (slots_ == nullptr) Throw("out of memory (trace)");
    for (size_t i = 0; i < old_size; ++i) {
      if (old[i].key != 0) slots_[Place(old[i].key)] = old[i];
    }
    if (old != nullptr) MemUnmap(old, Bytes(old_size));
  }

  Slot* slots_ = nullptr;
  size_t size_ = 0;
  size_t n_ = 0;
};

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_ID_TABLE_H_
