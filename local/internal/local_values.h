// local/internal/local_values.h: the values of Locals, without their types.
// What      a Local has a key: the number of its place, and a generation that tells it from the
//           Locals that had the place before. A goroutine has a table of its values, indexed by the
//           place's low bits, and a list of them in the order in which they were made. The table
//           grows until no two of its keys meet, so a look-up is one comparison.
// Layer     7.
// Threads   A table belongs to its goroutine. Keys are given out under a lock. Nothing else is
//           shared, and nobody goes through the values of another goroutine.
#ifndef GORT_LOCAL_INTERNAL_LOCAL_VALUES_H_
#define GORT_LOCAL_INTERNAL_LOCAL_VALUES_H_

#include <atomic>
#include <cstdint>
#include <memory>

namespace gort::rt {

struct LocalPlace;

// The part of a Local that does not know its type.
class LocalKey {
 public:
  constexpr LocalKey() = default;
  LocalKey(const LocalKey&) = delete;
  LocalKey& operator=(const LocalKey&) = delete;

  // 0: none yet. Whoever has a value of it has seen it before, so no order is needed.
  uint64_t get() const { return key_.load(std::memory_order_relaxed); }
  // Gets a key if there is none yet.
  void Assign();
  // Destroys the current goroutine's value, if there is one.
  void Drop() const;
  // The same, and gives the place back. The key stays as it was: what is asked of it after its end
  // (a static Local, while the process exits beside running goroutines) still finds its values.
  void Retire();

 private:
  std::atomic<uint64_t> key_{0};  // 0 -> a key, once, under the lock of the places
  LocalPlace* place_ = nullptr;   // likewise
};

// What stands before a value.
struct LocalValue {
  explicit LocalValue(void (*d)(LocalValue*)) : destroy(d) {}
  void (*const destroy)(LocalValue*);  // ends the value and frees its memory
  LocalValue* older = nullptr;
  LocalValue* newer = nullptr;  // this: it is being destroyed
  uint64_t key = 0;
};
struct DropLocalValue {
  void operator()(LocalValue* v) const { v->destroy(v); }
};

// The current goroutine's value; null: it has none, or this is a thread that gort does not know yet.
LocalValue* FindLocal(const LocalKey& key);

// Before the program's code makes a value: there is a goroutine, and *key is assigned.
void PrepareLocal(LocalKey* key);

// Makes v the current goroutine's value, and returns it; or the one that there is by now, if making
// v made that, too. Throws std::bad_alloc.
LocalValue* AddLocal(const LocalKey& key, std::unique_ptr<LocalValue, DropLocalValue> v);

}  // namespace gort::rt

#endif  // GORT_LOCAL_INTERNAL_LOCAL_VALUES_H_
