#include <algorithm>
#include <functional>
#include <new>
#include <utility>

#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/base/throw.h"
#include "gort/chan/internal/select_go.h"
#include "gort/chan/internal/wait_queue.h"
#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sudog.h"
#include "gort/proc/proc.h"
#include "gort/proc/sched_seed.h"

// A select
//   1. looks at its channels without their locks, picks one at random of the cases that seem to be
//      ready, and tries it with that channel's lock alone, until one is done or none seems ready;
//   2. sorts the cases by the address of their channel (the order in which it locks, so that selects
//      cannot deadlock), locks all of them, so that it sees them at one instant, and does one at
//      random of those that are ready now;
//   3. if none is, queues one sudog per case and parks; the channels are unlocked from another
//      stack once this one is left (SelectParkCommit);
//   4. is woken by the peer that set select_done from 0 to 1; of all peers that one may complete a
//      case. The select takes its other sudogs off their queues, one lock at a time, and learns
//      from g.param which case it was.
// The locks of step 4 also wait for a SelectParkCommit that is still unlocking: it reads the sudogs
// of this select until it has unlocked the last channel. The channel of the case that was done
// needs no lock for that: its peer has had it.
//
// A channel may occur in several cases, for sending and receiving even. It is locked once; a peer
// finds one of the sudogs, wins select_done, and later peers skip the others. A select cannot be
// its own peer, because it never looks at its own queues while it stands in them.

namespace gort::rt {
namespace {

struct Cases {
  SelectCase* cases;
  uint32_t n;      // cases, those of nil channels too
  uint32_t* pick;  // room for n indices
  uint32_t* lock;  // m indices in the order of locking; Sort
  uint32_t m;      // cases whose channel is not nil; Sort
};

// Below this many cases the sort by insertion is the fastest.
constexpr uint32_t kFewCases = 16;

// In [0, n). Asks the M each time: it may be another one since the last park.
uint32_t RandomN(uint32_t n) {
  if (SchedSeeded()) return FastRand(SchedRand()).N(n);
  M* mp = AcquireM();
  const uint32_t r = mp->rand.N(n);
  ReleaseM(mp);
  return r;
}

// Puts the indices of the cases whose channels are not nil into the order of locking.
void Sort(Cases* s) {
  s->m = 0;
  const SelectCase* cases = s->cases;
  auto before = [cases](uint32_t a, uint32_t b) { return std::less<>()(cases[a].c, cases[b].c); };
  const bool few = s->n <= kFewCases;
  for (uint32_t i = 0; i < s->n; ++i) {
    if (cases[i].c == nullptr) continue;
    uint32_t at = s->m++;
    for (; few && at > 0 && before(i, s->lock[at - 1]); --at) s->lock[at] = s->lock[at - 1];
    s->lock[at] = i;
  }
  if (!few) std::sort(s->lock, s->lock + s->m, before);
}

// Puts the last of the indices [first, i], which are of one channel, at a random place among them.
GORT_NOINLINE void Shuffle(const Cases& s, uint32_t first, uint32_t i) {
  std::swap(s.lock[i], s.lock[first + RandomN(i - first + 1)]);
}

// Of the cases of one channel a peer finds the one that was queued first: their order is random.
void LockAll(const Cases& s) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  HChan* last = nullptr;
  uint32_t first = 0;  // of the cases of `last`
  for (uint32_t i = 0; i < s.m; ++i) {
    HChan* c = s.cases[s.lock[i]].c;
    if (GORT_UNLIKELY(c == last)) {
      Shuffle(s, first, i);
      continue;
    }
    c->lock.Lock();
    last = c;
    first = i;
  }
}

void UnlockAll(const Cases& s) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  HChan* last = nullptr;
  for (uint32_t i = s.m; i > 0; --i) {
    HChan* c = s.cases[s.lock[i - 1]].c;
    if (c != last) c->lock.Unlock();
    last = c;
  }
}

// Unlocks the channels of the sudogs in gp->waiting, which is in locking order. A channel is let go
// only after its last sudog was looked at: from then on its sudogs may change. Nothing of gp may be
// touched after the last unlock.
bool SelectParkCommit(G* gp, void*) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  HChan* last = nullptr;
  for (Sudog* s = gp->waiting; s != nullptr; s = s->waitlink) {
    HChan* c = static_cast<HChan*>(s->c);
    if (last != nullptr && c != last) last->lock.Unlock();
    last = c;
  }
  if (last != nullptr) last->lock.Unlock();
  return true;
}

static_assert(sizeof(Sudog) == kSudogBytes && alignof(Sudog) == alignof(void*));

// Requires: Wait has made it.
Sudog* SudogOf(SelectCase* sc) { return std::launder(reinterpret_cast<Sudog*>(sc->sudog)); }

bool SeemsReady(const SelectCase& sc) {
  if (sc.c == nullptr) return false;
  return !(sc.is_send ? ChanSendWouldBlock(sc.c) : ChanRecvWouldBlock(sc.c));
}

// Takes one at random out of the *n indices.
uint32_t TakeOne(uint32_t* indices, uint32_t* n) {
  const uint32_t at = *n == 1 ? 0 : RandomN(*n);
  const uint32_t chosen = indices[at];
  indices[at] = indices[--*n];
  return chosen;
}

Attempt TryCase(const SelectCase& sc, G** wake) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return sc.is_send ? SendLocked(sc.c, sc.elem, wake) : RecvLocked(sc.c, sc.elem, wake);
}

// Steps 1 and 2: `locked` says which. Index of the case that was done or whose channel is closed, or
// kSelectDefault. A case that seemed ready and was not is not tried again.
template <bool locked>
int TryReady(const Cases& s, Attempt* attempt, G** wake) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  uint32_t n = 0;
  for (uint32_t i = 0; i < s.n; ++i) {
    if (SeemsReady(s.cases[i])) s.pick[n++] = i;
  }
  while (n > 0) {
    const uint32_t i = TakeOne(s.pick, &n);
    if (!locked) s.cases[i].c->lock.Lock();
    *attempt = TryCase(s.cases[i], wake);
    if (!locked) s.cases[i].c->lock.Unlock();
    if (*attempt != Attempt::kWouldBlock) return static_cast<int>(i);
  }
  return kSelectDefault;
}

// Step 3, all locks held; returns without them.
void Wait(const Cases& s, G* gp) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Sudog** link = &gp->waiting;
  for (uint32_t i = 0; i < s.m; ++i) {
    SelectCase& sc = s.cases[s.lock[i]];
    auto* sg = ::new (static_cast<void*>(sc.sudog)) Sudog;
    sg->g = gp;
    sg->c = sc.c;
    sg->elem = sc.elem;
    sg->is_select = true;
    sg->success = false;
    sg->case_index = s.lock[i];
    *link = sg;
    link = &sg->waitlink;
    (sc.is_send ? sc.c->sendq : sc.c->recvq).Enqueue(sg);
  }
  *link = nullptr;
  gp->param = nullptr;
  GoPark(&SelectParkCommit, nullptr, WaitReason::kSelect);
}

// Its lock held. True: a case that was woken with nothing done is at its channel's end. False: a
// sender's element threw, or the channel is closed by now but still has elements.
bool AtEnd(const SelectCase& sc) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const HChan* c = sc.c;
  if (!c->closed.load(std::memory_order_relaxed)) return false;
  return sc.is_send || (c->qcount.load(std::memory_order_relaxed) == 0 &&
                        c->returned.load(std::memory_order_relaxed) == nullptr);
}

// Takes all sudogs but the winner, which its peer took, off their queues.
void Leave(const Cases& s, const Sudog* winner) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (uint32_t i = 0; i < s.m; ++i) {
    SelectCase& sc = s.cases[s.lock[i]];
    Sudog* sg = SudogOf(&sc);
    if (sg == winner) continue;
    sc.c->lock.Lock();
    (sc.is_send ? sc.c->sendq : sc.c->recvq).Remove(sg);
    sc.c->lock.Unlock();
  }
}

// Step 4, no locks held. Returns the case that a peer completed. *attempt is kDone, kClosed, or
// kWouldBlock when the peer woke this goroutine with nothing after all.
int Settle(const Cases& s, G* gp, Attempt* attempt) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const auto* winner = static_cast<Sudog*>(gp->param);
  if (winner == nullptr) Throw("select: woken by nobody");
  gp->param = nullptr;
  gp->waiting = nullptr;
  Leave(s, winner);
  gp->select_done.store(0, std::memory_order_relaxed);  // no peer can find a sudog any more
  const SelectCase& chosen = s.cases[winner->case_index];
  *attempt = Attempt::kDone;
  if (!winner->success) {
    BriefGuard guard(&chosen.c->lock);
    *attempt = AtEnd(chosen) ? Attempt::kClosed : Attempt::kWouldBlock;
  }
  return static_cast<int>(winner->case_index);
}

int One(const SelectCase& sc, bool block, bool* received) {
  if (sc.is_send) return ChanSend(sc.c, sc.elem, block) ? 0 : kSelectDefault;
  RecvResult r = ChanRecv(sc.c, sc.elem, block);
  *received = r == RecvResult::kReceived;
  return r == RecvResult::kWouldBlock ? kSelectDefault : 0;
}

// All steps once. *attempt is kWouldBlock: nothing was done.
int TryOrWait(Cases* s, G* gp, bool block, Attempt* attempt) {
  G* wake = nullptr;
  int chosen = TryReady<false>(*s, attempt, &wake);
  if (*attempt == Attempt::kWouldBlock) {
    Sort(s);
    if (s->m == 0) {
      if (block) ParkForever(WaitReason::kSelect);
      return kSelectDefault;
    }
    LockAll(*s);
    chosen = TryReady<true>(*s, attempt, &wake);
    if (*attempt == Attempt::kWouldBlock && block) {
      Wait(*s, gp);
      return Settle(*s, gp, attempt);
    }
    UnlockAll(*s);
  }
  if (wake != nullptr) GoReady(wake);
  return chosen;
}

}  // namespace

int SelectGo(SelectCase* cases, uint32_t* order, int n, bool block, bool* received) {
  *received = false;
  if (n == 0) {
    if (!block) return kSelectDefault;
    ParkForever(WaitReason::kSelectNoCases);
  }
  if (!block) PreemptCheckInPlace();
  if (n == 1) return One(cases[0], block, received);
  G* gp = block ? Caller() : nullptr;
  const auto count = static_cast<uint32_t>(n);
  Cases s{cases, count, order, order + count, 0};
  while (true) {
    Attempt attempt = Attempt::kWouldBlock;
    const int chosen = TryOrWait(&s, gp, block, &attempt);
    if (attempt == Attempt::kWouldBlock) {
      if (!block) return kSelectDefault;
      continue;
    }
    if (attempt == Attempt::kClosed && cases[chosen].is_send) PanicSendOnClosed();
    *received = attempt == Attempt::kDone;
    return chosen;
  }
}

}  // namespace gort::rt
