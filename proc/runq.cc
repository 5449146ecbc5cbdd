#include "gort/proc/runq.h"

#include "gort/base/throw.h"

namespace gort::rt {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

static_assert((kRunqSize & (kRunqSize - 1)) == 0, "a slot is an index modulo kRunqSize");

G* Slot(const RunQueue& q, uint32_t index) { return q.ring[index % kRunqSize].load(kRelaxed); }

void SetSlot(RunQueue* q, uint32_t index, G* gp) { q->ring[index % kRunqSize].store(gp, kRelaxed); }

// Copies half of from's ring to the slots of `to` at and after index `at`, without publishing them;
// returns how many. Go: runqgrab (proc.go)
uint32_t RunqGrab(P* victim, RunQueue* to, uint32_t at, bool steal_runnext, RunqBackoff backoff) {
  RunQueue& from = victim->runq;
  for (;;) {
    uint32_t head = from.head.load(runq_order::kHeadLook);
    const uint32_t tail = from.tail.load(runq_order::kTailLook);
    const uint32_t n = (tail - head) - (tail - head) / 2;
    if (n == 0) {
      if (!steal_runnext) return 0;
      G* gp = from.runnext.load(kRelaxed);  // confirmed by the swap
      if (gp == nullptr) return 0;
      if (backoff != nullptr) backoff(victim);
      if (!from.runnext.compare_exchange_strong(gp, nullptr, runq_order::kNextSteal, kRelaxed)) {
        continue;
      }
      SetSlot(to, at, gp);
      return 1;
    }
    if (n > kRunqSize / 2) continue;  // head is older than tail by a lap
    for (uint32_t i = 0; i < n; i++) SetSlot(to, at + i, Slot(from, head + i));
    // Success: nobody took these slots before us, hence nobody overwrote them.
    if (from.head.compare_exchange_strong(head, head + n, runq_order::kHeadTake, kRelaxed)) {
      return n;
    }
  }
}

}  // namespace

bool RunqSpill(P* pp, G* gp, RunqBatch* to) {
  RunQueue& q = pp->runq;
  constexpr uint32_t kHalf = kRunqSize / 2;
  const uint32_t tail = q.tail.load(kRelaxed);  // our own
  uint32_t head = q.head.load(runq_order::kHeadReuse);
  GORT_CHECK(tail - head <= kRunqSize);
  if (tail - head < kRunqSize ||
      !q.head.compare_exchange_strong(head, head + kHalf, runq_order::kHeadTake, kRelaxed)) {
    return false;
  }
  for (uint32_t i = 0; i < kHalf; i++) to->g[i] = Slot(q, head + i);
  to->g[kHalf] = gp;
  to->first = 0;
  to->end = kHalf + 1;
  return true;
}

namespace {

// Puts what take() gives, n Gs at most, into the ring while there is room.
template <class Take>
int32_t PutMany(P* pp, int32_t n, Take take) {
  RunQueue& q = pp->runq;
  const uint32_t head = q.head.load(runq_order::kHeadReuse);
  uint32_t tail = q.tail.load(kRelaxed);  // our own
  int32_t moved = 0;
  for (; moved < n && tail - head < kRunqSize; moved++, tail++) SetSlot(&q, tail, take());
  if (moved != 0) q.tail.store(tail, runq_order::kTailPut);
  return moved;
}

}  // namespace

int32_t RunqPutBatch(P* pp, RunqBatch* from, int32_t n) {
  return PutMany(pp, n, [from] { return from->g[from->first++]; });
}

int32_t RunqPutBatch(P* pp, GQueue* batch, int32_t n) {
  return PutMany(pp, n, [batch] { return batch->Pop(); });
}

G* RunqSteal(P* pp, P* victim, bool steal_runnext, RunqBackoff backoff) {
  RunQueue& q = pp->runq;
  const uint32_t tail = q.tail.load(kRelaxed);  // our own
  // Free slots stay free: only we fill them.
  GORT_CHECK(tail - q.head.load(runq_order::kHeadReuse) <= kRunqSize / 2);
  uint32_t n = RunqGrab(victim, &q, tail, steal_runnext, backoff);
  if (n == 0) return nullptr;
  n--;
  G* gp = Slot(q, tail + n);
  if (n != 0) q.tail.store(tail + n, runq_order::kTailPut);
  return gp;
}

bool RunqEmpty(const P* pp) {
  const RunQueue& q = pp->runq;
  for (;;) {
    // Head before tail: an old head can only make the ring look fuller than it is.
    const uint32_t head = q.head.load(runq_order::kHeadLook);
    const uint32_t tail = q.tail.load(runq_order::kTailEmpty);
    if (head != tail) return false;
    if (q.runnext.load(runq_order::kNextEmpty) != nullptr) return false;
    // Between the two loads, runnext may have been kicked into the ring and its successor taken.
    if (q.tail.load(runq_order::kTailEmpty) == tail) return true;
  }
}

uint32_t RunqLen(const P* pp) {
  const RunQueue& q = pp->runq;
  const uint32_t head = q.head.load(runq_order::kHeadLook);
  const uint32_t tail = q.tail.load(runq_order::kTailLook);
  const uint32_t in_ring = tail - head < kRunqSize ? tail - head : kRunqSize;
  return in_ring + (q.runnext.load(kRelaxed) != nullptr ? 1 : 0);
}

int32_t RunqDrain(P* pp, GQueue* q) {
  int32_t n = 0;
  bool inherit_time;
  for (G* gp; (gp = RunqGet(pp, &inherit_time)) != nullptr; n++) q->PushBack(gp);
  return n;
}

}  // namespace gort::rt
