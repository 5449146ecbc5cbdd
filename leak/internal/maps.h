// leak/internal/maps.h: what is mapped into this process.
// What      /proc/self/maps, as far as a search for pointers needs it, and which pages have ever been
//           written, from /proc/thread-self/pagemap.
// Layer     9. Package-internal. Allocates from a Scratch alone; other threads may stand still anywhere.
#ifndef GORT_LEAK_INTERNAL_MAPS_H_
#define GORT_LEAK_INTERNAL_MAPS_H_

#include <cstddef>
#include <cstdint>

#include "gort/leak/internal/scratch.h"

namespace gort::rt {

enum class MapKind : uint8_t { kAnonymous, kFile, kBreak, kStack, kOther };

struct Mapping {
  uintptr_t lo, hi;
  bool readable, writable, shared;
  bool libc;  // of the C library
  MapKind kind;
};

// Reads all mappings, in the order of their addresses. False: the system does not show them.
bool ReadMaps(Scratch* scratch, Grow<Mapping>* out);

// Which pages can hold anything.
class PageState {
 public:
  explicit PageState(Scratch* scratch);
  ~PageState();
  PageState(const PageState&) = delete;
  PageState& operator=(const PageState&) = delete;

  // Calls f(lo, hi) for the parts of [lo, hi) that can be read and may hold anything but zeros. shared:
  // of memory that others may have written.
  template <class F>
  void ForEachUsed(uintptr_t lo, uintptr_t hi, bool shared, F f) {
    shared_ = shared;
    while (lo < hi) {
      uintptr_t used_lo = 0;
      lo = NextUsed(lo, hi, &used_lo);
      if (used_lo < lo) f(used_lo, lo);
    }
  }

 private:
  // The first run of used pages in [lo, hi): its begin in *used, its end returned. None: hi, twice.
  uintptr_t NextUsed(uintptr_t lo, uintptr_t hi, uintptr_t* used);
  bool Used(uintptr_t page);

  static constexpr size_t kEntries = 8192;

  int fd_ = -1;
  bool shared_ = false;
  uint64_t* entries_ = nullptr;
  uintptr_t first_ = 1;  // entries_ begins with this page; 1: holds none
  size_t n_ = 0;
  size_t page_;
};

}  // namespace gort::rt

#endif  // GORT_LEAK_INTERNAL_MAPS_H_
