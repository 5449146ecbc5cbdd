// malloc/internal/fast_path.h: what nearly every malloc and free is, to be compiled into each.
// What      a small object from this thread's cache, and back into it. What is not so simple is left to
//           functions that are not inline: no cache, an empty list, a large or tiny object, a wrong pointer, a page
//           far from the heap's first.
// Layer     4. As malloc.h.
#ifndef GORT_MALLOC_INTERNAL_FAST_PATH_H_
#define GORT_MALLOC_INTERNAL_FAST_PATH_H_

#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/malloc/internal/mcache.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/malloc/internal/size_classes.h"
#include "gort/platforms/pins.h"

namespace gort::rt {

// An object of at least 8 bytes. Null: not here, or a profile of the heap is to be asked first.
GORT_ALWAYS_INLINE void* TakeSmall(size_t bytes) {
  if (GORT_UNLIKELY(bytes > kMaxSmallSize)) return nullptr;
  const int span_class = SizeToClass(bytes);
  PinnedBriefly pinned;
  MCache* c = t_mcache;
  return GORT_LIKELY(c != nullptr) ? c->TakeCounted(span_class, bytes) : nullptr;
}

// What GiveSmall says if it is not the class whose list has become too long. But for kGiven, FreeRest
// does what is left to do.
inline constexpr int kGiven = 0;
inline constexpr int kNotHere = -1;           // nothing has happened
inline constexpr int kTiny = kTinySpanClass;  // nothing has happened: p is a tiny object, or was

GORT_ALWAYS_INLINE int GiveSmall(void* p) {
  static_assert(kTinySpanClass == kNumSpanClasses - 1);
  const int span_class = page_map.NearClass(reinterpret_cast<uintptr_t>(p));
  if (GORT_UNLIKELY(static_cast<unsigned>(span_class - 1) >= kTinySpanClass - 1)) {
    return span_class == kTinySpanClass ? kTiny : kNotHere;
  }
  PinnedBriefly pinned;
  MCache* c = t_mcache;
  // A double free that shows is left to who can tell of it.
  if (GORT_UNLIKELY(c == nullptr || c->IsFirst(p, span_class))) return kNotHere;
  return GORT_UNLIKELY(c->Give(static_cast<FreeObject*>(p), span_class)) ? span_class : kGiven;
}

// The rest of a free of p, of which GiveSmall said this. By now that may be another thread than the
// one of GiveSmall.
void FreeRest(void* p, int given);

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_FAST_PATH_H_
