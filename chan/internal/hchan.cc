#include "gort/chan/internal/hchan.h"

#include <cstring>
#include <new>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/base/panic.h"
#include "gort/base/throw.h"
#include "gort/chan/internal/wait_queue.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/sudog.h"
#include "gort/proc/proc.h"

// Checks without the lock
//
// A non-blocking operation that would block finds that out without the lock, by two reads at two
// instants: first "is the channel full (or empty)?", then "is it closed?". The answer holds,
// because closed goes from false to true and never back:
//
//   send     full at t1, not closed at a later t2, hence not closed at t1 either: at t1 a send had
//            to wait.
//   receive  empty at t1, not closed at t2 > t1: at t1 a receive had to wait. If it is closed,
//            "empty" is asked again: a closed channel gets no more elements, so empty now means
//            drained for good, and anything else goes through the lock.
//
// The order of the two reads matters because close empties the queue of waiting receivers, which
// looks like "full" to a sender: whoever sees that store must see closed too. Hence the queue's
// head and the count are stored with release and loaded with acquire. What happened before the call
// is seen by coherence: a load never returns a value older than one that happens before it.

namespace gort::rt {
namespace {

constexpr size_t kMaxChanBytes = size_t{1} << 47;

GORT_ALWAYS_INLINE void CopyBytes(void* dst, const void* src, size_t n) {
  switch (n) {
    case 0:
      return;
    case 4:
      std::memcpy(dst, src, 4);
      return;
    case 8:
      std::memcpy(dst, src, 8);
      return;
    case 16:
      std::memcpy(dst, src, 16);
      return;
    default:
      std::memcpy(dst, src, n);
  }
}

// Copies an element of kSize bytes, or, for kAnySize, of the channel's type.
template <size_t kSize>
GORT_ALWAYS_INLINE void CopyElem(const HChan* c, void* dst, const void* src) {
  if constexpr (kSize == kAnySize) {
    CopyBytes(dst, src, c->type->size);
  } else {
    std::memcpy(dst, src, kSize);
  }
}

template <size_t kSize = kAnySize>
GORT_ALWAYS_INLINE char* Slot(HChan* c, size_t i) {
  return c->buf + i * (kSize == kAnySize ? c->type->size : kSize);
}

// The index i of the ring, which may be too large by less than the ring's size.
GORT_ALWAYS_INLINE size_t Wrap(const HChan* c, size_t i) {
  return i >= c->dataqsiz ? i - c->dataqsiz : i;
}

// Only the holder of the lock writes qcount, so it may count without a read-modify-write.
void AddCount(HChan* c, ptrdiff_t n) {
  size_t now = c->qcount.load(std::memory_order_relaxed) + static_cast<size_t>(n);
  c->qcount.store(now, std::memory_order_release);  // pairs with: Full, Empty
}

bool Full(const HChan* c) {
  if (c->dataqsiz == 0) return c->recvq.Empty();
  return c->qcount.load(std::memory_order_acquire) == c->dataqsiz;  // pairs with: AddCount
}

bool Empty(const HChan* c) {
  // Boxes come back after the receive that took them, so no order between the two is needed; pairs
  // with: ChanUnrecv.
  if (c->returned.load(std::memory_order_acquire) != nullptr) return false;
  if (c->dataqsiz == 0) return c->sendq.Empty();
  return c->qcount.load(std::memory_order_acquire) == 0;  // pairs with: AddCount
}

// Tells a peer that has left its queue how its wait went.
GORT_ALWAYS_INLINE G* Resolve(Sudog* s, bool success) {
  G* gp = s->g;
  s->success = success;
  gp->param = s;
  return gp;
}

// Puts *elem behind the last element of the ring, which has room for it.
template <size_t kSize = kAnySize>
GORT_ALWAYS_INLINE void Append(HChan* c, const void* elem) ABSL_EXCLUSIVE_LOCKS_REQUIRED(c->lock) {
  const size_t n = c->qcount.load(std::memory_order_relaxed);
  CopyElem<kSize>(c, Slot<kSize>(c, Wrap(c, c->recvx + n)), elem);
  AddCount(c, 1);
}

// Takes the oldest element out of the ring, which has one.
template <size_t kSize>
GORT_ALWAYS_INLINE void TakeOldest(HChan* c, void* dst) ABSL_EXCLUSIVE_LOCKS_REQUIRED(c->lock) {
  CopyElem<kSize>(c, dst, Slot<kSize>(c, c->recvx));
  c->recvx = Wrap(c, c->recvx + 1);
  AddCount(c, -1);
}

bool UnlockChan(G*, void* c) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  static_cast<HChan*>(c)->lock.Unlock();
  return true;
}

GORT_ALWAYS_INLINE void ParkAndUnlock(HChan* c, WaitReason reason)
    ABSL_UNLOCK_FUNCTION(c->lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  GoPark(&UnlockChan, c, reason);
}

// Waits in q, holding the lock, for a peer or for close. True: a peer took or gave the element. The
// sudog is in this frame: the peer is done with it when it readies gp.
GORT_NOINLINE bool WaitIn(WaitQ* q, HChan* c, G* gp, void* elem, WaitReason reason)
    ABSL_UNLOCK_FUNCTION(c->lock) {
  Sudog s;
  s.g = gp;
  s.elem = elem;
  s.c = c;
  s.waitlink = nullptr;
  s.is_select = false;
  s.success = false;
  gp->waiting = &s;
  gp->param = nullptr;
  q->Enqueue(&s);
  ParkAndUnlock(c, reason);
  if (GORT_UNLIKELY(gp->param != &s)) Throw("chan: woken by nobody");
  gp->param = nullptr;
  gp->waiting = nullptr;
  return s.success;
}

void DestroyElements(HChan* c) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  auto destroy = c->type->destroy;
  if (destroy == nullptr) return;
  for (size_t n = c->qcount.load(std::memory_order_relaxed); n > 0; --n) {
    destroy(Slot(c, c->recvx));
    c->recvx = Wrap(c, c->recvx + 1);
  }
  for (BoxBase* box = c->returned.load(std::memory_order_relaxed); box != nullptr;) {
    BoxBase* next = box->next;
    destroy(&box);
    box = next;
  }
}

}  // namespace

// ---- life ----

HChan* MakeHChan(const ElemType* type, size_t capacity) {
  const size_t header = AlignUp(sizeof(HChan), type->align);
  if (type->size != 0 && capacity > (kMaxChanBytes - header) / type->size) {
    throw Panic("makechan: size out of range");
  }
  const size_t align = type->align > alignof(HChan) ? type->align : alignof(HChan);
  void* p = ::operator new (header + capacity * type->size, std::align_val_t{align});
  return ::new (p) HChan(type, capacity, static_cast<char*>(p) + header);
}

void HChanRef(HChan* c) {
  // The caller has a reference, so the count cannot be 0 here: no order needed.
  if (c != nullptr) c->refs.fetch_add(1, std::memory_order_relaxed);
}

void HChanUnref(HChan* c) {
  // acq_rel pairs with itself: all uses by other owners happen before the last one destroys.
  if (c == nullptr || c->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  DestroyElements(c);
  const size_t align = c->type->align > alignof(HChan) ? c->type->align : alignof(HChan);
  c->~HChan();
  ::operator delete (static_cast<void*>(c), std::align_val_t{align});
}

// ---- sending ----

namespace {

template <size_t kSize>
GORT_ALWAYS_INLINE Attempt SendLockedSized(HChan* c, void* elem, G** wake)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(c->lock) {
  if (GORT_UNLIKELY(c->closed.load(std::memory_order_relaxed))) return Attempt::kClosed;
  if (Sudog* s = c->recvq.Dequeue()) {
    CopyElem<kSize>(c, s->elem, elem);
    *wake = Resolve(s, true);
    return Attempt::kDone;
  }
  if (c->qcount.load(std::memory_order_relaxed) < c->limit) {
    Append<kSize>(c, elem);
    return Attempt::kDone;
  }
  return Attempt::kWouldBlock;
}

}  // namespace

Attempt SendLocked(HChan* c, void* elem, G** wake) {
  return SendLockedSized<kAnySize>(c, elem, wake);
}

template <size_t kSize>
void ChanSendAndWait(HChan* c, void* elem) {
  if (GORT_UNLIKELY(c == nullptr)) ParkForever(WaitReason::kChanSendNil);
  G* gp = Caller();
  do {
    G* wake = nullptr;
    c->lock.Lock();
    const Attempt attempt = SendLockedSized<kSize>(c, elem, &wake);
    if (attempt == Attempt::kDone) {
      c->lock.Unlock();
      if (wake != nullptr) GoReady(wake);
      return;
    }
    if (attempt == Attempt::kClosed) {
      c->lock.Unlock();
      PanicSendOnClosed();
    }
    // Woken with nothing done. Most likely the channel was closed; the next attempt finds out.
  } while (!WaitIn(&c->sendq, c, gp, elem, WaitReason::kChanSend));
}

template void ChanSendAndWait<0>(HChan* c, void* elem);
template void ChanSendAndWait<8>(HChan* c, void* elem);
template void ChanSendAndWait<16>(HChan* c, void* elem);
template void ChanSendAndWait<kAnySize>(HChan* c, void* elem);

Attempt ChanTrySend(HChan* c, void* elem) {
  if (c == nullptr || ChanSendWouldBlock(c)) return Attempt::kWouldBlock;
  G* wake = nullptr;
  c->lock.Lock();
  const Attempt attempt = SendLockedSized<kAnySize>(c, elem, &wake);
  c->lock.Unlock();
  if (wake != nullptr) GoReady(wake);
  return attempt;
}

bool ChanSend(HChan* c, void* elem, bool block) {
  if (block) {
    ChanSendAndWait<kAnySize>(c, elem);
    return true;
  }
  const Attempt attempt = ChanTrySend(c, elem);
  if (attempt == Attempt::kClosed) PanicSendOnClosed();
  return attempt == Attempt::kDone;
}

namespace {

// What a send needs before its element exists: a receiver, which is taken off its queue because a
// select that waits could be taken by another channel meanwhile, or a place in the ring, by which
// everybody else finds less room. kWouldBlock: there is neither.
Attempt Reserve(HChan* c, Sudog** receiver) {
  BriefGuard guard(&c->lock);
  if (c->closed.load(std::memory_order_relaxed)) return Attempt::kClosed;
  *receiver = c->recvq.Dequeue();
  if (*receiver != nullptr) return Attempt::kDone;
  if (c->qcount.load(std::memory_order_relaxed) >= c->limit) return Attempt::kWouldBlock;
  --c->limit;
  return Attempt::kDone;
}

// Takes a reservation back. The receiver is woken empty-handed and looks again; the place goes to
// the sender that has waited longest.
void GiveUp(HChan* c, Sudog* receiver) {
  if (receiver != nullptr) return GoReady(Resolve(receiver, false));
  G* wake = nullptr;
  {
    BriefGuard guard(&c->lock);
    ++c->limit;
    if (Sudog* s = c->sendq.Dequeue()) {
      Append(c, s->elem);
      wake = Resolve(s, true);
    }
  }
  if (wake != nullptr) GoReady(wake);
}

// Sends to the place reserved, or to a receiver that came since.
Attempt SendReserved(HChan* c, void* elem) {
  G* wake = nullptr;
  c->lock.Lock();
  ++c->limit;
  const Attempt attempt = SendLocked(c, elem, &wake);
  c->lock.Unlock();
  if (wake != nullptr) GoReady(wake);
  return attempt;
}

}  // namespace

Attempt ChanTrySendBox(HChan* c, BoxBase* box, void (*fill)(void* arg), void* arg) {
  if (c == nullptr || ChanSendWouldBlock(c)) return Attempt::kWouldBlock;
  Sudog* receiver = nullptr;
  const Attempt reserved = Reserve(c, &receiver);
  if (reserved != Attempt::kDone) return reserved;
  try {
    fill(arg);
  } catch (...) {
    GiveUp(c, receiver);
    throw;
  }
  if (receiver == nullptr) return SendReserved(c, &box);
  // The receiver is off its queue and asleep: nobody but this call can touch its frame.
  CopyBytes(receiver->elem, &box, sizeof box);
  GoReady(Resolve(receiver, true));
  return Attempt::kDone;
}

// ---- receiving ----

namespace {

// Boxes alone are given back.
GORT_NOINLINE Attempt TakeReturned(HChan* c, void* dst) ABSL_EXCLUSIVE_LOCKS_REQUIRED(c->lock) {
  BoxBase* box = c->returned.load(std::memory_order_relaxed);
  c->returned.store(box->next, std::memory_order_release);  // pairs with: Empty
  box->next = nullptr;
  CopyBytes(dst, &box, sizeof box);
  return Attempt::kDone;
}

template <size_t kSize>
GORT_ALWAYS_INLINE Attempt RecvLockedSized(HChan* c, void* dst, G** wake)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(c->lock) {
  if constexpr (kSize == kAnySize) {
    if (GORT_UNLIKELY(c->returned.load(std::memory_order_relaxed) != nullptr)) {
      return TakeReturned(c, dst);
    }
  }
  const bool buffered = c->qcount.load(std::memory_order_relaxed) > 0;
  if (Sudog* s = c->sendq.Dequeue()) {
    if (buffered) {
      // The ring has no room: its oldest element leaves, and the sender's goes to the end.
      TakeOldest<kSize>(c, dst);
      Append<kSize>(c, s->elem);
    } else {
      CopyElem<kSize>(c, dst, s->elem);
    }
    *wake = Resolve(s, true);
    return Attempt::kDone;
  }
  if (buffered) {
    TakeOldest<kSize>(c, dst);
    return Attempt::kDone;
  }
  return c->closed.load(std::memory_order_relaxed) ? Attempt::kClosed : Attempt::kWouldBlock;
}

}  // namespace

Attempt RecvLocked(HChan* c, void* dst, G** wake) {
  return RecvLockedSized<kAnySize>(c, dst, wake);
}

template <size_t kSize>
bool ChanRecvAndWait(HChan* c, void* dst) {
  if (GORT_UNLIKELY(c == nullptr)) ParkForever(WaitReason::kChanReceiveNil);
  G* gp = Caller();
  do {
    G* wake = nullptr;
    c->lock.Lock();
    const Attempt attempt = RecvLockedSized<kSize>(c, dst, &wake);
    if (attempt == Attempt::kDone) {
      c->lock.Unlock();
      if (wake != nullptr) GoReady(wake);
      return true;
    }
    if (attempt == Attempt::kClosed) {
      c->lock.Unlock();
      return false;
    }
    // Woken with nothing done: the channel was closed, or a sender's element threw. Look again.
  } while (!WaitIn(&c->recvq, c, gp, dst, WaitReason::kChanReceive));
  return true;
}

template bool ChanRecvAndWait<0>(HChan* c, void* dst);
template bool ChanRecvAndWait<8>(HChan* c, void* dst);
template bool ChanRecvAndWait<16>(HChan* c, void* dst);
template bool ChanRecvAndWait<kAnySize>(HChan* c, void* dst);

RecvResult ChanRecv(HChan* c, void* dst, bool block) {
  if (block) {
    return ChanRecvAndWait<kAnySize>(c, dst) ? RecvResult::kReceived : RecvResult::kClosed;
  }
  if (c == nullptr) return RecvResult::kWouldBlock;
  if (Empty(c)) {
    // pairs with: CloseChan
    if (!c->closed.load(std::memory_order_acquire)) return RecvResult::kWouldBlock;
    if (Empty(c)) return RecvResult::kClosed;
  }
  G* wake = nullptr;
  c->lock.Lock();
  const Attempt attempt = RecvLockedSized<kAnySize>(c, dst, &wake);
  c->lock.Unlock();
  if (wake != nullptr) GoReady(wake);
  if (attempt == Attempt::kDone) return RecvResult::kReceived;
  return attempt == Attempt::kClosed ? RecvResult::kClosed : RecvResult::kWouldBlock;
}

void ChanUnrecv(HChan* c, BoxBase* box) {
  G* wake = nullptr;
  {
    BriefGuard guard(&c->lock);
    if (Sudog* s = c->recvq.Dequeue()) {
      CopyBytes(s->elem, &box, sizeof box);
      wake = Resolve(s, true);
    } else if (size_t n = c->qcount.load(std::memory_order_relaxed);
               n < c->limit && c->returned.load(std::memory_order_relaxed) == nullptr) {
      c->recvx = (c->recvx == 0 ? c->dataqsiz : c->recvx) - 1;
      CopyBytes(Slot(c, c->recvx), &box, sizeof box);
      AddCount(c, 1);
    } else {
      box->next = c->returned.load(std::memory_order_relaxed);
      c->returned.store(box, std::memory_order_release);  // pairs with: Empty
    }
  }
  if (wake != nullptr) GoReady(wake);
}

// ---- closing ----

void CloseChan(HChan* c) {
  if (c == nullptr) throw Panic("close of nil channel");
  GQueue woken;
  c->lock.Lock();
  if (c->closed.load(std::memory_order_relaxed)) {
    c->lock.Unlock();
    throw Panic("close of closed channel");
  }
  c->closed.store(true, std::memory_order_release);  // pairs with: the checks without the lock
  while (Sudog* s = c->recvq.Dequeue()) woken.PushBack(Resolve(s, false));
  while (Sudog* s = c->sendq.Dequeue()) woken.PushBack(Resolve(s, false));
  c->lock.Unlock();
  while (G* gp = woken.Pop()) GoReady(gp);
}

// ---- asking ----

size_t ChanLen(const HChan* c) {
  return c == nullptr ? 0 : c->qcount.load(std::memory_order_relaxed);  // a snapshot, no partner
}

size_t ChanCap(const HChan* c) { return c == nullptr ? 0 : c->dataqsiz; }

bool ChanSendWouldBlock(const HChan* c) {
  return Full(c) && !c->closed.load(std::memory_order_acquire);  // pairs with: CloseChan
}

bool ChanRecvWouldBlock(const HChan* c) {
  return Empty(c) && !c->closed.load(std::memory_order_acquire);  // pairs with: CloseChan
}

GORT_NOINLINE void PollFailed() { PreemptCheckInPlace(); }

GORT_COLD void ParkForever(WaitReason reason) {
  CurrentG();  // a foreign thread is attached here
  GoPark(nullptr, nullptr, reason);
  Throw("unreachable: woken from waiting for ever");
}

GORT_COLD void PanicSendOnClosed() { throw Panic("send on closed channel"); }

}  // namespace gort::rt
