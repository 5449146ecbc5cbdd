#include "malloc/fork.h"

#include "malloc/current_mcache.h"
#include "malloc/mcache.h"
#include "malloc/mcentral.h"
#include "malloc/mheap.h"
#include "malloc/persistentalloc.h"
#include "malloc/scavenge.h"
#include "malloc/size_classes.h"

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
