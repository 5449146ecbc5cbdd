// sync/internal/copy_check.h: noticing that an object was copied byte by byte after its first use.
// What      the compiler refuses copies of locks; memcpy, realloc and unions do not ask it. Who
//           holds the lock, or waits for it, knows nothing of the copy, and goes on with the old. In
//           debug builds (GORT_DEBUG) a CopyCheck remembers where it was first used; in others it
//           is empty.
// Layer     10. Any stack.                            Go: copyChecker in cond.go
#ifndef GORT_SYNC_INTERNAL_COPY_CHECK_H_
#define GORT_SYNC_INTERNAL_COPY_CHECK_H_

#include <atomic>

#include "gort/base/attributes.h"
#include "gort/base/throw.h"

namespace gort::rt {

class CopyCheck {
 public:
  constexpr CopyCheck() = default;

#if GORT_DEBUG
  // Called with each use. Fatal, with text ("sync.Mutex is copied"), when an earlier one was
  // elsewhere.
  void Use(const char* text) {
    const CopyCheck* at = nullptr;
    // relaxed: compared with itself only.
    if (!self_.compare_exchange_strong(at, this, std::memory_order_relaxed) && at != this) {
      Fatal(text);
    }
  }

 private:
  std::atomic<const CopyCheck*> self_{nullptr};
#else
  void Use(const char*) {}
#endif
};

}  // namespace gort::rt

#endif  // GORT_SYNC_INTERNAL_COPY_CHECK_H_
