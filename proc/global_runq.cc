// proc/global_runq.cc: the queue that all Ps share, under sched.lock.
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/runq.h"
#include "gort/proc/sched_seed.h"

namespace gort::rt {
namespace {

// seq_cst: when a parker that has lowered nmspinning still reads the old size, the submitter reads
// the lowered nmspinning.
void SetSize(int32_t n) { sched.runqsize.store(n); }
int32_t Size() { return sched.runqsize.load(std::memory_order_relaxed); }

// Such a G stays where TakeWiredWaiter finds it.
bool WasCutOff(const G* gp) { return gp->rare && gp->signal_context != nullptr; }

}  // namespace

void GlobRunqPut(G* gp) {
  sched.runq.PushBack(gp);
  SetSize(Size() + 1);
}

void GlobRunqPutHead(G* gp) {
  sched.runq.Push(gp);
  SetSize(Size() + 1);
}

void GlobRunqPutBatch(GQueue* q, int32_t n) {
  sched.runq.PushBackAll(q);
  SetSize(Size() + n);
}

// Takes pp's share of the queue, at most max Gs (0: no limit): returns one and puts the others into
// pp's ring.
G* GlobRunqGet(P* pp, int32_t max) {
  int32_t size = Size();
  if (size == 0) return nullptr;
  int32_t n = size / gomaxprocs.load(std::memory_order_relaxed) + 1;
  if (n > size) n = size;
  if (max > 0 && n > max) n = max;
  if (n > static_cast<int32_t>(kRunqSize / 2)) n = kRunqSize / 2;
  G* gp = sched.runq.Pop();
  int32_t taken = 1;
  GQueue batch;
  for (; taken < n && !WasCutOff(sched.runq.First()); ++taken) batch.PushBack(sched.runq.Pop());
  int32_t left = 0;
  if (taken > 1) {
    left = taken - 1 - RunqPutBatch(pp, &batch, taken - 1);
    if (left > 0) sched.runq.PushFrontAll(&batch);  // the ring was not empty after all
  }
  // After the batch is in the ring: an M that reads the size without the lock reads the rings next.
  SetSize(size - taken + left);
  return gp;
}

namespace {

// Swaps the last G of the ring with any G of it. With one P only, where no other M can steal.
void ShuffleTail(P* pp) {
  RunQueue& q = pp->runq;
  const uint32_t head = q.head.load(std::memory_order_relaxed);
  const uint32_t tail = q.tail.load(std::memory_order_relaxed);
  if (tail - head < 2 || gomaxprocs.load(std::memory_order_relaxed) != 1) return;
  auto& last = q.ring[(tail - 1) % kRunqSize];
  auto& other = q.ring[(head + SchedRand() % (tail - head)) % kRunqSize];
  G* gp = last.load(std::memory_order_relaxed);
  last.store(other.load(std::memory_order_relaxed), std::memory_order_relaxed);
  other.store(gp, std::memory_order_relaxed);
}

// Puts gp anywhere in the queue (proc/sched_seed.h).
GORT_COLD void RunqPutAnywhere(P* pp, G* gp, bool next) {
  GQueue overflow;
  int32_t n = 0;
  if (RunqPut(pp, gp, next && SchedOneIn(2), &overflow, &n)) return ShuffleTail(pp);
  LockGuard l(&sched.lock);
  GlobRunqPutBatch(&overflow, n);
}

}  // namespace

void RunqPutLocal(P* pp, G* gp, bool next) {
  if (GORT_UNLIKELY(SchedSeeded())) return RunqPutAnywhere(pp, gp, next);
  GQueue overflow;
  int32_t n = 0;
  if (GORT_LIKELY(RunqPut(pp, gp, next, &overflow, &n))) return;
  LockGuard l(&sched.lock);
  GlobRunqPutBatch(&overflow, n);
}

void Submit(P* pp, G* gp, bool next) {
  if (GORT_LIKELY(pp != nullptr)) {
    RunqPutLocal(pp, gp, next);
    // The only P is the caller's, so no P is idle.
    if (gomaxprocs.load(std::memory_order_relaxed) == 1) return;
    RunqPublish(pp);
  } else {
    LockGuard l(&sched.lock);
    GlobRunqPut(gp);
  }
  WakeP();
}

}  // namespace gort::rt
