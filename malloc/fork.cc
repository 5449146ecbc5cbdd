#include "gort/malloc/fork.h"

#include "gort/malloc/current_mcache.h"
#include "gort/malloc/mcache.h"
#include "gort/malloc/mcentral.h"
#include "gort/malloc/mheap.h"
#include "gort/malloc/persistentalloc.h"
#include "gort/malloc/scavenge.h"
#include "gort/malloc/size_classes.h"

namespace gort::rt {

void MallocForkPrepare() {
  CurrentMCacheForkLock();
  ScavengeForkLock();
  for (int c = 1; c < kNumSpanClasses; ++c) mcentrals[c].ForkLock();
  MCacheForkLock();
  mheap.ForkLock();
  PersistentForkLock();
}

void MallocForkDone() {
  PersistentForkUnlock();
  mheap.ForkUnlock();
  MCacheForkUnlock();
  for (int c = kNumSpanClasses - 1; c > 0; --c) mcentrals[c].ForkUnlock();
  ScavengeForkUnlock();
  CurrentMCacheForkUnlock();
}

}  // namespace gort::rt
