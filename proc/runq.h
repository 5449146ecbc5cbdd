// proc/runq.h: the local run queue of one P.
// What      a fixed ring of kRunqSize Gs plus runnext; one producer, many consumers.
// Layer     6, used by proc and sysmon.                     Go: runq* in proc.go
// Invariant 0 <= tail - head <= kRunqSize. A G is in at most one queue. Only the owner P writes tail
//           and the slots, and only the owner sets runnext to something other than null. Head moves
//           by compare-and-swap alone. Indices run freely over 2^32; slot = index % kRunqSize.
// Ordering  Named in runq_order, each with its partner. A slot's new G travels from tail (release)
//           to tail (acquire); the permission to overwrite a slot travels from head (release) to
//           head (acquire). The owner takes a slot first and reads it afterwards, for nobody else
//           writes it; a thief reads first, and the swap of head tells whether that was in time.
// Wake-ups  A submitter needs a StoreLoad barrier before it looks at sched.nmspinning. RunqPut with
//           `next` is one; after anything else it calls RunqPublish. The parker's mirror image is
//           RunqEmpty after lowering nmspinning. See tests/model/README.md.
// Contract  | call           | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | RunqPut        |   x    | x  |  -   |    -    |    -    |   -   |     -     |
//           | Spill, PutBatch|   -    | x  |  -   |    -    |    -    |   -   |     -     |
//           | RunqPublish    |   x    | x  |  -   |    -    |    -    |   -   |     -     |
//           | RunqGet, Drain |   x    | x  |  -   |    -    |    -    |   -   |     -     |
//           | RunqGetRing    |   -    | x  |  -   |    -    |    -    |   -   |     -     |
//           | RunqSteal      |   -    | x  |  -   |    -    |    -    |   -   |     -     |
//           | RunqEmpty, Len |   x    | x  |  x   |    x    |    x    |   -   |     -     |
//           pp is a P that the caller owns, or one of a stopped world.
// Model     tests/model/runq_model_test.cc (capacity 4, owner and two thieves)
#ifndef GORT_PROC_RUNQ_H_
#define GORT_PROC_RUNQ_H_

#include <atomic>
#include <cstdint>

#include "gort/base/atomics.h"
#include "gort/base/attributes.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/p.h"

namespace gort::rt {

// In a model-checking build the orders are variables, so that a test can weaken one and see the
// checker object.
#ifdef GORT_MODEL
#define GORT_RUNQ_ORDER inline std::memory_order
#else
#define GORT_RUNQ_ORDER inline constexpr std::memory_order
#endif
namespace runq_order {
// Gives slots back for reuse; pairs with: kHeadReuse.
GORT_RUNQ_ORDER kHeadTake = std::memory_order_release;
// The producer, before it overwrites a slot; pairs with: kHeadTake.
GORT_RUNQ_ORDER kHeadReuse = std::memory_order_acquire;
// Thieves and RunqEmpty, so that tail is not older than head; pairs with: kHeadTake.
GORT_RUNQ_ORDER kHeadLook = std::memory_order_acquire;
// Publishes slots and their Gs; pairs with: kTailLook, kTailEmpty.
GORT_RUNQ_ORDER kTailPut = std::memory_order_release;
// Thieves, before they read slots; pairs with: kTailPut.
GORT_RUNQ_ORDER kTailLook = std::memory_order_acquire;
// RunqPublish: a store that later loads do not overtake; pairs with: kTailEmpty.
GORT_RUNQ_ORDER kTailPublish = std::memory_order_seq_cst;
// RunqEmpty, after the caller dropped nmspinning; pairs with: kTailPublish.
GORT_RUNQ_ORDER kTailEmpty = std::memory_order_seq_cst;
// The owner sets runnext, and later loads do not overtake that; pairs with: kNextSteal, kNextEmpty.
GORT_RUNQ_ORDER kNextPut = std::memory_order_seq_cst;
// The owner takes runnext back; what it kicked into the ring before is visible to whoever sees the
// null; pairs with: kNextEmpty.
GORT_RUNQ_ORDER kNextGet = std::memory_order_release;
// A thief takes runnext, and with it the G's contents; pairs with: kNextPut.
GORT_RUNQ_ORDER kNextSteal = std::memory_order_acquire;
// RunqEmpty, after the caller dropped nmspinning; pairs with: kNextGet, kNextPut.
GORT_RUNQ_ORDER kNextEmpty = std::memory_order_seq_cst;
}  // namespace runq_order
#undef GORT_RUNQ_ORDER

// Half of a full ring, and the G for which there was no room. An array, because to follow a list of so
// many Gs means to wait for each one's memory.
struct RunqBatch {
  RunqBatch* next = nullptr;
  uint32_t first = 0;  // g[first] to g[end - 1] are there
  uint32_t end = 0;
  G* g[kRunqSize / 2 + 1] = {};
};

// Moves the older half of pp's ring, and gp, to *to, which is empty. False: thieves have made room
// meanwhile, which only the owner can fill. Requires: pp is the caller's, RunqPut has returned gp.
// Go: runqputslow (proc.go)
GORT_COLD bool RunqSpill(P* pp, G* gp, RunqBatch* to);
// The reverse: moves Gs from the front of *from, at most n, to the ring while there is room. Returns how
// many it moved. Requires: pp is the caller's.
int32_t RunqPutBatch(P* pp, RunqBatch* from, int32_t n);

// Sets runnext; returns the G that was there. Owner only.
inline G* RunqSetNext(RunQueue* q, G* gp) {
  if (!q->alone) return q->runnext.exchange(gp, runq_order::kNextPut);
  G* before = q->runnext.load(std::memory_order_relaxed);
  q->runnext.store(gp, std::memory_order_release);
  return before;
}

// Puts gp on the local queue of pp. next: into runnext, whose old G goes to the ring's tail. Returns
// null, or the G that should have gone to the ring, which is full: RunqSpill is next.
// Requires: pp is the caller's. Go: runqput (proc.go)
inline G* RunqPut(P* pp, G* gp, bool next) {
  RunQueue& q = pp->runq;
  if (next) {
    gp = RunqSetNext(&q, gp);
    if (gp == nullptr) return nullptr;
  }
  const uint32_t head = q.head.load(runq_order::kHeadReuse);
  const uint32_t tail = q.tail.load(std::memory_order_relaxed);  // our own
  if (GORT_UNLIKELY(tail - head >= kRunqSize)) return gp;
  q.ring[tail % kRunqSize].store(gp, std::memory_order_relaxed);  // published by tail
  q.tail.store(tail + 1, runq_order::kTailPut);
  return nullptr;
}

// The StoreLoad barrier of whoever made work runnable on its own P, other than next: everything put
// on pp's queue so far comes before every seq_cst load that the caller does next
// (sched.nmspinning). One exchange on the owner's own cache line. Requires: pp is the caller's.
inline void RunqPublish(P* pp) {
  RunQueue& q = pp->runq;
  q.tail.store(q.tail.load(std::memory_order_relaxed), runq_order::kTailPublish);
}

// Has what is needed to begin gp, which may be any G, on its way into the caches.
inline void PrefetchG(const G* gp) {
  const char* at = reinterpret_cast<const char*>(gp);
  __builtin_prefetch(at, 1);
  __builtin_prefetch(at + 64, 1);
  __builtin_prefetch(at + 128);
}

// Takes the slot *head for the owner; false: it was taken, and *head is the next one.
inline bool RunqTakeHead(RunQueue* q, uint32_t* head) {
  if (!q->alone) {
    return q->head.compare_exchange_weak(*head, *head + 1, runq_order::kHeadTake,
                                         std::memory_order_relaxed);
  }
  q->head.store(*head + 1, std::memory_order_release);
  return true;
}

// Takes gp out of runnext for the owner; false: a thief was faster.
inline bool RunqTakeNext(RunQueue* q, G* gp) {
  if (!q->alone) {
    return q->runnext.compare_exchange_strong(gp, nullptr, runq_order::kNextGet,
                                              std::memory_order_relaxed);
  }
  q->runnext.store(nullptr, std::memory_order_release);
  return true;
}

// The G at the head of the ring, before runnext; null when the ring is empty. Requires: pp is the
// caller's.
inline G* RunqGetRing(P* pp) {
  RunQueue& q = pp->runq;
  uint32_t head = q.head.load(std::memory_order_relaxed);        // confirmed by the swap
  const uint32_t tail = q.tail.load(std::memory_order_relaxed);  // our own
  do {
    if (head == tail) return nullptr;
  } while (!RunqTakeHead(&q, &head));
  PrefetchG(q.ring[(head + 1) % kRunqSize].load(std::memory_order_relaxed));
  return q.ring[head % kRunqSize].load(std::memory_order_relaxed);  // written by us
}

// The next G, or null when the queue is empty. *inherit_time: it came from runnext and goes on with
// the time slice of its predecessor. Requires: pp is the caller's. Go: runqget (proc.go)
inline G* RunqGet(P* pp, bool* inherit_time) {
  RunQueue& q = pp->runq;
  G* gp = q.runnext.load(std::memory_order_relaxed);  // set by us, or null
  // If it is gone only we could set it again.
  if (gp != nullptr && RunqTakeNext(&q, gp)) {
    *inherit_time = true;
    return gp;
  }
  *inherit_time = false;
  return RunqGetRing(pp);
}

// Moves Gs from the front of *q, at most n, to the ring while there is room; the rest stays in *q.
// Returns how many it moved. Requires: pp is the caller's; *q has at least n Gs. Go: runqputbatch
// (proc.go); differs: the caller sends the rest to the global queue.
int32_t RunqPutBatch(P* pp, GQueue* q, int32_t n);

// Says whether pp is the only P. World stopped.
inline void RunqSetAlone(P* pp, bool alone) { pp->runq.alone = alone; }

// Called with the victim just before its runnext is taken, to give it a moment to run it itself.
using RunqBackoff = void (*)(const P* victim);

// Takes half of victim's ring, rounded up: one G is returned, the others go to the ring of pp. When
// the victim's ring is empty and steal_runnext is set, takes its runnext, after backoff (may be
// null). Null: nothing found. Requires: pp is the caller's, its ring is at most half full; pp !=
// victim. Go: runqsteal, runqgrab (proc.go)
G* RunqSteal(P* pp, P* victim, bool steal_runnext, RunqBackoff backoff = nullptr);

// True when the queue had nothing to take. A G that moves from runnext to the ring while this looks
// is not missed; neither is one put before a RunqPublish that the caller's view includes: if it
// returns true after the caller's seq_cst change of sched.nmspinning, then whoever publishes a G in
// this queue sees that change. Go: runqempty (proc.go)
bool RunqEmpty(const P* pp);

// Gs in the ring and runnext; a guess unless the caller owns pp or the world is stopped.
uint32_t RunqLen(const P* pp);

// Moves everything to the end of *q, runnext first, in the order in which RunqGet would have given
// it; returns how many. Requires: pp is the caller's, or the world is stopped. Go: runqdrain
int32_t RunqDrain(P* pp, GQueue* q);

}  // namespace gort::rt

#endif  // GORT_PROC_RUNQ_H_
