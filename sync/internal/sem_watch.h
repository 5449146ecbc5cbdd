// sync/internal/sem_watch.h: a wait at a semaphore that a context ends.
// What      a SemWatch stands in the frame of a call that waits by SemAcquireOr(addr, …, &watch.waiter),
//           from Begin(ctx) to End().
// Layer     10.
// Contract  as ContextWatch and SemGiveUp.
#ifndef GORT_SYNC_INTERNAL_SEM_WATCH_H_
#define GORT_SYNC_INTERNAL_SEM_WATCH_H_

#include <atomic>
#include <cstdint>

#include "gort/context/internal/watch.h"
#include "gort/sync/internal/sema.h"

namespace gort::rt {

using SemWatch = WaitWatch<const std::atomic<uint32_t>, SemWait, &SemGiveUp>;

}  // namespace gort::rt

#endif  // GORT_SYNC_INTERNAL_SEM_WATCH_H_
