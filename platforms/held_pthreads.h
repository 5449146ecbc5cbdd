// platforms/held_pthreads.h: how many std::mutexes the calling thread holds.
// What      in debug builds without a sanitizer (kCountsHeldPthreads) the functions of this file's
//           .cc, pthread_mutex_lock and its kin, stand in front of the C library's and count, so
//           that proc can report a goroutine that parks with a std::mutex held: another thread
//           would unlock it. Elsewhere the count is 0: a sanitizer has such functions of its own,
//           and in a statically linked program there is no library to stand in front of.
// Layer     2. Any stack.
#ifndef GORT_PLATFORMS_HELD_PTHREADS_H_
#define GORT_PLATFORMS_HELD_PTHREADS_H_

#include "gort/base/attributes.h"
#include "gort/platforms/arch.h"

namespace gort::rt {

#if GORT_DEBUG && !GORT_ASAN && !GORT_TSAN && GORT_ARCH_COUNTS_PTHREADS
inline constexpr bool kCountsHeldPthreads = true;
// Not inlined: at the next call the goroutine may be on another thread.
int HeldPthreads();
#else
inline constexpr bool kCountsHeldPthreads = false;
inline int HeldPthreads() { return 0; }
#endif

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_HELD_PTHREADS_H_
