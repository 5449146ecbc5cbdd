#include "gort/malloc/internal/fork.h"

#include "absl/base/thread_annotations.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/malloc/internal/mcache.h"
#include "gort/malloc/internal/mcentral.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/malloc/internal/sample.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/malloc/internal/size_classes.h"

namespace gort::rt {

void MallocForkPrepare() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  heap_sample_lock.Lock();
  CurrentMCacheForkLock();
  ScavengeForkLock();
  for (int c = 1; c < kNumSpanClasses; ++c) mcentrals[c].ForkLock();
  MCacheForkLock();
  mheap.ForkLock();
  PersistentForkLock();
}

void MallocForkDone() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  PersistentForkUnlock();
  mheap.ForkUnlock();
  MCacheForkUnlock();
  for (int c = kNumSpanClasses - 1; c > 0; --c) mcentrals[c].ForkUnlock();
  ScavengeForkUnlock();
  CurrentMCacheForkUnlock();
  heap_sample_lock.Unlock();
}

}  // namespace gort::rt
