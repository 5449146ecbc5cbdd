// metrics/internal/snapshot.h: what takes more than one look to know, looked at once.
// Layer     8.
#ifndef GORT_METRICS_INTERNAL_SNAPSHOT_H_
#define GORT_METRICS_INTERNAL_SNAPSHOT_H_

#include <cstdint>

#include "gort/gmp/counts.h"
#include "gort/gmp/wait_reason.h"
#include "gort/malloc/malloc.h"
#include "gort/stack/internal/stack_alloc.h"

namespace gort::metrics {

struct Goroutines {
  int64_t runnable = 0, running = 0, syscall = 0, waiting = 0, system = 0;
  int64_t by_reason[static_cast<int>(rt::WaitReason::kCount)] = {};
};

// Of all Ps together, and of those that count without a P. A P that is out of use keeps its counts.
struct Ps {
  uint64_t queued = 0, turns = 0, timers = 0;
  rt::PCounts counts;
};

struct Threads {
  int64_t all = 0, idle = 0;
};

struct Snapshot {
  Goroutines goroutines;
  Ps ps;
  Threads threads;
  rt::TimeCounts stops;
  rt::StackStats stacks;
  malloc::Stats heap;
};

void TakeSnapshot(Snapshot* s);

}  // namespace gort::metrics

#endif  // GORT_METRICS_INTERNAL_SNAPSHOT_H_
