#include "gort/malloc/pmr.h"

namespace gort::malloc {
namespace {

class HeapResource final : public std::pmr::memory_resource {
 public:
  constexpr HeapResource() = default;

 private:
  void* do_allocate(size_t bytes, size_t align) override {
    void* p = AllocAligned(align, bytes);
    if (p == nullptr) throw std::bad_alloc();
    return p;
  }
  void do_deallocate(void* p, size_t, size_t) override { Free(p); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

// Constant-initialised and never destroyed, so that globals may use it before main and to the end.
union NeverDestroyed {
  constexpr NeverDestroyed() : resource() {}
  ~NeverDestroyed() {}
  HeapResource resource;
};
constinit NeverDestroyed heap_resource;

}  // namespace

std::pmr::memory_resource* Resource() { return &heap_resource.resource; }

}  // namespace gort::malloc
