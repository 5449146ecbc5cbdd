// platforms/held_pthreads.h: how many std::mutexes the calling thread holds.
// What      in debug builds for amd64 without a sanitizer (kCountsHeldPthreads) this file's own
//           pthread_mutex_lock and its kin stand in front of the C library's and count,
//           so that proc can report a goroutine that parks with one held: another thread would
//           unlock it. Elsewhere the count is always 0: sanitizers have their own, and a static
//           program (which arm64's tests are) has nothing that one could stand in front of.
// Layer     2. Any stack.
#ifndef GORT_PLATFORMS_HELD_PTHREADS_H_
#define GORT_PLATFORMS_HELD_PTHREADS_H_

#include "gort/base/attributes.h"

namespace gort::rt {

#if GORT_DEBUG && !GORT_ASAN && !GORT_TSAN && defined(__x86_64__)
inline constexpr bool kCountsHeldPthreads = true;
// Never inlined: the caller may be another thread's the next time.
int HeldPthreads();
#else
inline constexpr bool kCountsHeldPthreads = false;
inline int HeldPthreads() { return 0; }
#endif

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_HELD_PTHREADS_H_
