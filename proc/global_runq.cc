// proc/global_runq.cc: the queue that all Ps share, under sched.lock.
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/malloc/internal/persistentalloc.h"
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

namespace {

// Room for a batch. Under sched.lock, which the allocation's comes after.
RunqBatch* NewBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  RunqBatch* b = sched.free_batches;
  if (b == nullptr) return new (PersistentAlloc(sizeof(RunqBatch), alignof(RunqBatch))) RunqBatch;
  sched.free_batches = b->next;
  return b;
}

void DropBatch(RunqBatch* b) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  b->next = sched.free_batches;
  sched.free_batches = b;
}

// The ring of pp had no room for gp. Moves half of the ring, and gp, into the queue; or puts gp
// into the ring, if others have made room there meanwhile.
GORT_COLD void PutIntoFull(P* pp, G* gp) {
  LockGuard l(&sched.lock);
  RunqBatch* b = NewBatch();
  while (!RunqSpill(pp, gp, b)) {
    gp = RunqPut(pp, gp, false);
    if (gp == nullptr) return DropBatch(b);
  }
  b->next = nullptr;
  (sched.batches != nullptr ? sched.last_batch->next : sched.batches) = b;
  sched.last_batch = b;
  SetSize(Size() + static_cast<int32_t>(b->end));
}

// Returns one G of the oldest batch, and puts others, at most n - 1, into pp's ring.
G* GetFromBatch(P* pp, int32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  RunqBatch* b = sched.batches;
  const auto have = static_cast<int32_t>(b->end - b->first);
  if (n > have) n = have;
  G* gp = b->g[b->first++];
  const int32_t moved = RunqPutBatch(pp, b, n - 1);
  if (b->first == b->end) {
    sched.batches = b->next;
    DropBatch(b);
  }
  // After they are in the ring: an M that reads the size without the lock reads the rings next.
  SetSize(Size() - 1 - moved);
  return gp;
}

// The same from those that came one by one.
G* GetFromList(P* pp, int32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  G* gp = sched.runq.Pop();
  int32_t taken = 1;
  GQueue others;
  for (; taken < n && !sched.runq.empty() && !WasCutOff(sched.runq.First()); ++taken) {
    others.PushBack(sched.runq.Pop());
  }
  const int32_t left = taken - 1 - RunqPutBatch(pp, &others, taken - 1);
  if (left > 0) sched.runq.PushFrontAll(&others);  // the ring was not empty after all
  SetSize(Size() - taken + left);
  return gp;
}

}  // namespace

// Takes pp's share of the queue, at most max Gs (0: no limit): returns one and puts the others into
// pp's ring. Batches and what came one by one take turns.
G* GlobRunqGet(P* pp, int32_t max) {
  constexpr int32_t kMost = kRunqSize / 2 + 1;
  const int32_t size = Size();
  if (size == 0) return nullptr;
  int32_t n = size / gomaxprocs.load(std::memory_order_relaxed) + 1;
  if (max > 0 && n > max) n = max;
  if (n > kMost) n = kMost;
  sched.batch_turn = sched.batches != nullptr && (sched.runq.empty() || !sched.batch_turn);
  return sched.batch_turn ? GetFromBatch(pp, n) : GetFromList(pp, n);
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
  gp = RunqPut(pp, gp, next && SchedOneIn(2));
  if (gp == nullptr) return ShuffleTail(pp);
  PutIntoFull(pp, gp);
}

GORT_ALWAYS_INLINE void PutLocal(P* pp, G* gp, bool next) {
  if (GORT_UNLIKELY(SchedSeeded())) return RunqPutAnywhere(pp, gp, next);
  gp = RunqPut(pp, gp, next);
  if (GORT_UNLIKELY(gp != nullptr)) PutIntoFull(pp, gp);
}

}  // namespace

void RunqPutLocal(P* pp, G* gp, bool next) { PutLocal(pp, gp, next); }

void Submit(P* pp, G* gp, bool next) {
  if (GORT_LIKELY(pp != nullptr)) {
    PutLocal(pp, gp, next);
    // The only P is the caller's, so no P is idle.
    if (pp->runq.alone) return;
    if (!next || SchedSeeded()) RunqPublish(pp);
  } else {
    LockGuard l(&sched.lock);
    GlobRunqPut(gp);
  }
  WakeP();
}

}  // namespace gort::rt
