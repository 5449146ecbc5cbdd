// base/atomics.h: the one seam between the lock-free parts and the memory model they run on.
// What      rt::Atomic<T> is std::atomic<T>, except in a model-checking build (GORT_MODEL), where
//           tests/model supplies a type of the same interface whose every access is a scheduling
//           point.
// Layer     1. Fences are not offered: ThreadSanitizer does not model them, and every protocol in
//           gort is written with ordered accesses instead.
#ifndef GORT_BASE_ATOMICS_H_
#define GORT_BASE_ATOMICS_H_

#include <atomic>

#ifdef GORT_MODEL
#include "gort/tests/model/model_atomic.h"
#endif

namespace gort::rt {

#ifdef GORT_MODEL
template <class T>
using Atomic = model::Atomic<T>;
#else
template <class T>
using Atomic = std::atomic<T>;
#endif

}  // namespace gort::rt

#endif  // GORT_BASE_ATOMICS_H_
