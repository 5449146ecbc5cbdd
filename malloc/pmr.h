// gort/malloc/pmr.h: gort's allocator for containers (included by gort/malloc/malloc.h).
// What      Resource() for std::pmr containers, Allocator<T> for the others.
// Contract  as malloc.h. Both throw std::bad_alloc when memory is out.
#ifndef GORT_MALLOC_PMR_H_
#define GORT_MALLOC_PMR_H_

#include <cstddef>
#include <limits>
#include <memory_resource>
#include <new>
#include <type_traits>

namespace gort::malloc {

void* AllocAligned(size_t align, size_t bytes);
void Free(void* p);

// The one memory resource over Alloc and Free. Never destroyed; stateless; equal to itself only.
std::pmr::memory_resource* Resource();

// A standard allocator; all are equal. std::vector<int, gort::malloc::Allocator<int>> v;
template <class T>
class Allocator {
 public:
  using value_type = T;
  using is_always_equal = std::true_type;

  constexpr Allocator() noexcept = default;
  template <class U>
  constexpr Allocator(const Allocator<U>&) noexcept {}  // NOLINT: implicit by the standard

  [[nodiscard]] T* allocate(size_t n) {
    if (n > std::numeric_limits<size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    void* p = AllocAligned(alignof(T), n * sizeof(T));
    if (p == nullptr) throw std::bad_alloc();
    return static_cast<T*>(p);
  }
  void deallocate(T* p, size_t) noexcept { Free(p); }

  template <class U>
  friend constexpr bool operator==(const Allocator&, const Allocator<U>&) noexcept {
    return true;
  }
};

}  // namespace gort::malloc

#endif  // GORT_MALLOC_PMR_H_
