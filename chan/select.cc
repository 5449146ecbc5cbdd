#include "gort/chan/select.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sudog.h"
#include "gort/proc/proc.h"
#include "gort/proc/sched_seed.h"

// A select
//   1. shuffles the cases (the order in which it looks) and sorts them by the address of their
//      channel (the order in which it locks, so that selects cannot deadlock);
//   2. locks all its channels, so that it sees them at one instant, and does the first case that is
//      ready;
//   3. if none is, queues one sudog per case and parks; the channels are unlocked from another
//      stack once this one is left (SelectParkCommit);
//   4. is woken by the peer that set select_done from 0 to 1; of all peers that one may complete a
//      case. The select locks everything again, takes its other sudogs off their queues, and learns
//      from g.param which case it was.
// The locks of step 4 also wait for a SelectParkCommit that is still unlocking: it reads the sudogs
// of this select until it has unlocked the last channel.
//
// A channel may occur in several cases, for sending and receiving even. It is locked once; a peer
// finds one of the sudogs, wins select_done, and later peers skip the others. A select cannot be
// its own peer, because it never looks at its own queues while it stands in them.

namespace gort::rt {
namespace {

struct Cases {
  SelectCase* cases;
  uint32_t* poll;  // m indices in random order
  uint32_t* lock;  // the same in the order of locking
  uint32_t m;      // cases whose channel is not nil
};

// Asks the M each time: it may be another one since the last park.
uint64_t RandomSeed() {
  if (SchedSeeded()) return SchedRand();
  M* mp = AcquireM();
  uint64_t seed = mp->rand.Next64();
  ReleaseM(mp);
  return seed;
}

Cases Order(SelectCase* cases, uint32_t* order, int n) {
  Cases s{cases, order, order + n, 0};
  FastRand rand(RandomSeed());
  // Inside-out shuffle: the i-th goes to a random place among the first i + 1.
  for (int i = 0; i < n; ++i) {
    if (cases[i].c == nullptr) continue;
    uint32_t j = rand.N(s.m + 1);
    s.poll[s.m] = s.poll[j];
    s.poll[j] = static_cast<uint32_t>(i);
    ++s.m;
  }
  std::copy(s.poll, s.poll + s.m, s.lock);
  std::sort(s.lock, s.lock + s.m,
            [cases](uint32_t a, uint32_t b) { return std::less<>()(cases[a].c, cases[b].c); });
  return s;
}

void LockAll(const Cases& s) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  HChan* last = nullptr;
  for (uint32_t i = 0; i < s.m; ++i) {
    HChan* c = s.cases[s.lock[i]].c;
    if (c != last) c->lock.Lock();
    last = c;
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

// Step 2, all locks held. Index of the case that was done or whose channel is closed, or
// kSelectDefault.
int TryAll(const Cases& s, Attempt* attempt, G** wake) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (uint32_t i = 0; i < s.m; ++i) {
    SelectCase& sc = s.cases[s.poll[i]];
    *attempt = sc.is_send ? SendLocked(sc.c, sc.elem, wake) : RecvLocked(sc.c, sc.elem, wake);
    if (*attempt != Attempt::kWouldBlock) return static_cast<int>(s.poll[i]);
  }
  return kSelectDefault;
}

// Step 3, all locks held; returns without them.
void Wait(const Cases& s, G* gp) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Sudog** link = &gp->waiting;
  for (uint32_t i = 0; i < s.m; ++i) {
    SelectCase& sc = s.cases[s.lock[i]];
    Sudog* sg = AcquireSudog();
    sg->g = gp;
    sg->c = sc.c;
    sg->elem = sc.elem;
    sg->is_select = true;
    sg->success = false;
    sg->waitlink = nullptr;
    sg->case_index = s.lock[i];
    sc.sudog = sg;
    *link = sg;
    link = &sg->waitlink;
    (sc.is_send ? sc.c->sendq : sc.c->recvq).Enqueue(sg);
  }
  gp->param = nullptr;
  GoPark(&SelectParkCommit, nullptr, WaitReason::kSelect);
}

// All locks held. True: a case that was woken with nothing done is at its channel's end. False: a
// sender's element threw, or the channel is closed by now but still has elements.
bool AtEnd(const SelectCase& sc) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const HChan* c = sc.c;
  if (!c->closed.load(std::memory_order_relaxed)) return false;
  return sc.is_send || (c->qcount.load(std::memory_order_relaxed) == 0 &&
                        c->returned.load(std::memory_order_relaxed) == nullptr);
}

// Step 4, all locks held. Returns the case that a peer completed. *attempt is kDone, kClosed, or
// kWouldBlock when the peer woke this goroutine with nothing after all.
int Settle(const Cases& s, G* gp, Attempt* attempt) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const auto* winner = static_cast<Sudog*>(gp->param);
  if (winner == nullptr) Throw("select: woken by nobody");
  gp->param = nullptr;
  gp->waiting = nullptr;
  gp->select_done.store(0, std::memory_order_relaxed);  // our sudogs are behind our locks
  const int chosen = static_cast<int>(winner->case_index);
  *attempt = winner->success          ? Attempt::kDone
             : AtEnd(s.cases[chosen]) ? Attempt::kClosed
                                      : Attempt::kWouldBlock;
  for (uint32_t i = 0; i < s.m; ++i) {
    SelectCase& sc = s.cases[s.lock[i]];
    Sudog* sg = std::exchange(sc.sudog, nullptr);
    if (sg != winner) (sc.is_send ? sc.c->sendq : sc.c->recvq).Remove(sg);
    sg->elem = nullptr;
    sg->c = nullptr;
    sg->waitlink = nullptr;
    ReleaseSudog(sg);
  }
  return chosen;
}

int One(const SelectCase& sc, bool block, bool* received) {
  if (sc.is_send) return ChanSend(sc.c, sc.elem, block) ? 0 : kSelectDefault;
  RecvResult r = ChanRecv(sc.c, sc.elem, block);
  *received = r == RecvResult::kReceived;
  return r == RecvResult::kWouldBlock ? kSelectDefault : 0;
}

}  // namespace

int SelectGo(SelectCase* cases, uint32_t* order, int n, bool block, bool* received) {
  *received = false;
  if (n == 0) {
    if (!block) return kSelectDefault;
    ParkForever(WaitReason::kSelectNoCases);
  }
  block ? PreemptCheck() : PreemptCheckInPlace();
  if (n == 1) return One(cases[0], block, received);
  G* gp = CurrentG();
  const Cases s = Order(cases, order, n);
  if (s.m == 0) {
    if (!block) return kSelectDefault;
    ParkForever(WaitReason::kSelect);
  }
  while (true) {
    G* wake = nullptr;
    Attempt attempt = Attempt::kWouldBlock;
    LockAll(s);
    int chosen = TryAll(s, &attempt, &wake);
    if (attempt == Attempt::kWouldBlock && block) {
      Wait(s, gp);
      LockAll(s);
      chosen = Settle(s, gp, &attempt);
    }
    UnlockAll(s);
    if (wake != nullptr) GoReady(wake);
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

namespace gort {

int Selector::Run() {
  const int total = static_cast<int>(cases_.size());
  scases_.assign(cases_.size(), rt::SelectCase{});
  order_.resize(2 * cases_.size());
  rt::SelectCase ignored;
  int n = 0;
  for (int i = 0; i < total; ++i) cases_[i]->Add(i == default_ ? &ignored : &scases_[n++]);
  bool received = false;
  int chosen = rt::SelectGo(scases_.data(), order_.data(), n, default_ < 0, &received);
  if (chosen == rt::kSelectDefault) {
    chosen = default_;
  } else if (default_ >= 0 && chosen >= default_) {
    ++chosen;
  }
  cases_[chosen]->Run(received);
  return chosen;
}

}  // namespace gort
