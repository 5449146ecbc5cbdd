// gort/sync/sync.h: everything for goroutines that share memory.
// What      Mutex, RWMutex, Cond, WaitGroup, Once, Semaphore, ErrGroup, TaskGroup, Spawn
//           and Future, Pool. Each has a header of
//           its own with its contract. All park the goroutine that waits, not its thread; an
//           ordinary thread that waits is blocked.
// Layer     10.                                        Go: package sync
#ifndef GORT_SYNC_SYNC_H_
#define GORT_SYNC_SYNC_H_

#include "gort/sync/cond.h"
#include "gort/sync/err_group.h"
#include "gort/sync/future.h"
#include "gort/sync/mutex.h"
#include "gort/sync/once.h"
#include "gort/sync/pool.h"
#include "gort/sync/rwmutex.h"
#include "gort/sync/semaphore.h"
#include "gort/sync/task_group.h"
#include "gort/sync/wait_group.h"

#endif  // GORT_SYNC_SYNC_H_
