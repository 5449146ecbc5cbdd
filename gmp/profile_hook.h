// gmp/profile_hook.h: what waits cost, for profiles.
// What      while a bit of sched.profiling is set, waits are timed and told at their end: by the
//           goroutine that has waited, and by the one that has kept a lock from another. Not set, a
//           wait costs one comparison with a byte beside those that it reads anyhow.
// Layer     4. No runtime lock held. The target takes one, walks the caller's stack, and does not park.
// Go        blockevent, mutexevent (mprof.go)
#ifndef GORT_GMP_PROFILE_HOOK_H_
#define GORT_GMP_PROFILE_HOOK_H_

#include <atomic>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/hook.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/wait_reason.h"

namespace gort::rt {

// Bits of sched.profiling.
inline constexpr uint8_t kProfileBlock = 1;
inline constexpr uint8_t kProfileMutex = 2;

// The caller has waited for so long.
extern Hook<void(WaitReason reason, int64_t ns)> block_hook;
// The caller has given up a lock for which others have waited so long, all together, since it was last
// given up.
extern Hook<void(int64_t ns)> contention_hook;

GORT_ALWAYS_INLINE bool ProfilingBlock() {
  return (sched.profiling.load(std::memory_order_relaxed) & kProfileBlock) != 0;
}
GORT_ALWAYS_INLINE bool ProfilingMutex() {
  return (sched.profiling.load(std::memory_order_relaxed) & kProfileMutex) != 0;
}

}  // namespace gort::rt

#endif  // GORT_GMP_PROFILE_HOOK_H_
