// gort/sync/sync.h: everything for goroutines that share memory.
// What      Mutex, RWMutex, Cond, WaitGroup, Once, Semaphore, ErrGroup, Pool. Each has a header of
//           its own with its contract. All park the goroutine that waits, not its thread; an
//           ordinary thread that waits is blocked.
// Layer     10.                                        Go: package sync
#ifndef GORT_SYNC_SYNC_H_
#define GORT_SYNC_SYNC_H_

#include "sync/cond.h"
#include "sync/err_group.h"
#include "sync/mutex.h"
#include "sync/once.h"
#include "sync/pool.h"
#include "sync/rwmutex.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"

#endif  // GORT_SYNC_SYNC_H_
