#include "gort/chan/internal/hchan.h"

#include <cstring>
#include <new>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/base/panic.h"
#include "gort/base/throw.h"
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

char* Slot(HChan* c, size_t i) { return c->buf + i * c->type->size; }

size_t Next(const HChan* c, size_t i) { return i + 1 == c->dataqsiz ? 0 : i + 1; }

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
G* Resolve(Sudog* s, bool success) {
  G* gp = s->g;
  s->elem = nullptr;
  s->success = success;
  gp->param = s;
  return gp;
}

// Puts *elem into the ring, which has room for it.
GORT_ALWAYS_INLINE void Append(HChan* c, const void* elem) ABSL_EXCLUSIVE_LOCKS_REQUIRED(c->lock) {
  CopyBytes(Slot(c, c->sendx), elem, c->type->size);
  c->sendx = Next(c, c->sendx);
  AddCount(c, 1);
}

// Waits in q, holding the lock, for a peer or for close. True: a peer took or gave the element.
GORT_NOINLINE bool WaitIn(WaitQ* q, HChan* c, G* gp, void* elem, WaitReason reason)
    ABSL_UNLOCK_FUNCTION(c->lock) {
  Sudog* s = AcquireSudog();
  s->g = gp;
  s->elem = elem;
  s->c = c;
  s->waitlink = nullptr;
  s->is_select = false;
  s->success = false;
  gp->waiting = s;
  gp->param = nullptr;
  q->Enqueue(s);
  GoParkUnlock(&c->lock, reason);
  if (gp->param != s) Throw("chan: woken by nobody");
  gp->param = nullptr;
  gp->waiting = nullptr;
  bool success = s->success;
  s->c = nullptr;
  ReleaseSudog(s);
  return success;
}

void DestroyElements(HChan* c) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  auto destroy = c->type->destroy;
  if (destroy == nullptr) return;
  for (size_t n = c->qcount.load(std::memory_order_relaxed); n > 0; --n) {
    destroy(Slot(c, c->recvx));
    c->recvx = Next(c, c->recvx);
  }
  for (BoxBase* box = c->returned.load(std::memory_order_relaxed); box != nullptr;) {
    BoxBase* next = box->next;
    destroy(&box);
    box = next;
  }
}

}  // namespace

// ---- queues ----

void WaitQ::Enqueue(Sudog* s) {
  s->next = nullptr;
  s->prev = last_;
  if (last_ != nullptr) {
    last_->next = s;
  } else {
    SetFirst(s);
  }
  last_ = s;
}

Sudog* WaitQ::Dequeue() {
  while (Sudog* s = First()) {
    Remove(s);
    uint32_t waiting = 0;
    // The winner's writes reach the select through its locks and through GoReady; the CAS itself
    // only has to be won once.
    if (!s->is_select || s->g->select_done.compare_exchange_strong(waiting, 1)) return s;
  }
  return nullptr;
}

void WaitQ::Remove(Sudog* s) {
  if (s->prev == nullptr && First() != s) return;  // taken off by a Dequeue
  if (s->prev != nullptr) {
    s->prev->next = s->next;
  } else {
    SetFirst(s->next);
  }
  (s->next != nullptr ? s->next->prev : last_) = s->prev;
  s->next = s->prev = nullptr;
}

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

Attempt SendLocked(HChan* c, void* elem, G** wake) {
  if (c->closed.load(std::memory_order_relaxed)) return Attempt::kClosed;
  if (Sudog* s = c->recvq.Dequeue()) {
    CopyBytes(s->elem, elem, c->type->size);
    *wake = Resolve(s, true);
    return Attempt::kDone;
  }
  if (c->qcount.load(std::memory_order_relaxed) < c->limit) {
    Append(c, elem);
    return Attempt::kDone;
  }
  return Attempt::kWouldBlock;
}

bool ChanSend(HChan* c, void* elem, bool block) {
  if (c == nullptr) {
    if (!block) return false;
    ParkForever(WaitReason::kChanSendNil);
  }
  if (!block && ChanSendWouldBlock(c)) return false;
  if (block) PreemptCheck();
  G* gp = block ? CurrentG() : nullptr;  // may allocate: not under the lock
  do {
    G* wake = nullptr;
    c->lock.Lock();
    Attempt attempt = SendLocked(c, elem, &wake);
    if (attempt != Attempt::kWouldBlock || !block) {
      c->lock.Unlock();
      if (attempt == Attempt::kClosed) PanicSendOnClosed();
      if (wake != nullptr) GoReady(wake);
      return attempt == Attempt::kDone;
    }
    // Woken with nothing done. Most likely the channel was closed; the next attempt finds out.
  } while (!WaitIn(&c->sendq, c, gp, elem, WaitReason::kChanSend));
  return true;
}

namespace {

// What a send needs before its element exists: a receiver, which is taken off its queue because a
// select that waits could be taken by another channel meanwhile, or a place in the ring, by which
// everybody else finds less room. False: there is neither.
bool Reserve(HChan* c, Sudog** receiver) {
  c->lock.Lock();
  const bool closed = c->closed.load(std::memory_order_relaxed);
  bool found = false;
  if (!closed) {
    *receiver = c->recvq.Dequeue();
    found = *receiver != nullptr || c->qcount.load(std::memory_order_relaxed) < c->limit;
    if (found && *receiver == nullptr) --c->limit;
  }
  c->lock.Unlock();
  if (closed) PanicSendOnClosed();
  return found;
}

// Takes a reservation back. The receiver is woken empty-handed and looks again; the place goes to
// the sender that has waited longest.
void GiveUp(HChan* c, Sudog* receiver) {
  if (receiver != nullptr) return GoReady(Resolve(receiver, false));
  G* wake = nullptr;
  {
    LockGuard guard(&c->lock);
    ++c->limit;
    if (Sudog* s = c->sendq.Dequeue()) {
      Append(c, s->elem);
      wake = Resolve(s, true);
    }
  }
  if (wake != nullptr) GoReady(wake);
}

// Sends to the place reserved, or to a receiver that came since.
bool SendReserved(HChan* c, void* elem) {
  G* wake = nullptr;
  c->lock.Lock();
  ++c->limit;
  const Attempt attempt = SendLocked(c, elem, &wake);
  c->lock.Unlock();
  if (attempt == Attempt::kClosed) PanicSendOnClosed();
  if (wake != nullptr) GoReady(wake);
  return true;
}

}  // namespace

bool ChanTrySendBox(HChan* c, BoxBase* box, void (*fill)(void* arg), void* arg) {
  if (c == nullptr || ChanSendWouldBlock(c)) return false;
  Sudog* receiver = nullptr;
  if (!Reserve(c, &receiver)) return false;
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
  return true;
}

// ---- receiving ----

Attempt RecvLocked(HChan* c, void* dst, G** wake) {
  if (BoxBase* box = c->returned.load(std::memory_order_relaxed); GORT_UNLIKELY(box != nullptr)) {
    c->returned.store(box->next, std::memory_order_release);  // pairs with: Empty
    box->next = nullptr;
    CopyBytes(dst, &box, sizeof box);
    return Attempt::kDone;
  }
  if (Sudog* s = c->sendq.Dequeue()) {
    if (c->qcount.load(std::memory_order_relaxed) == 0) {
      CopyBytes(dst, s->elem, c->type->size);
    } else {
      // The ring has no room: its oldest element leaves, and the sender's goes to the end.
      CopyBytes(dst, Slot(c, c->recvx), c->type->size);
      CopyBytes(Slot(c, c->sendx), s->elem, c->type->size);
      c->recvx = Next(c, c->recvx);
      c->sendx = Next(c, c->sendx);
    }
    *wake = Resolve(s, true);
    return Attempt::kDone;
  }
  if (c->qcount.load(std::memory_order_relaxed) > 0) {
    CopyBytes(dst, Slot(c, c->recvx), c->type->size);
    c->recvx = Next(c, c->recvx);
    AddCount(c, -1);
    return Attempt::kDone;
  }
  return c->closed.load(std::memory_order_relaxed) ? Attempt::kClosed : Attempt::kWouldBlock;
}

RecvResult ChanRecv(HChan* c, void* dst, bool block) {
  if (c == nullptr) {
    if (!block) return RecvResult::kWouldBlock;
    ParkForever(WaitReason::kChanReceiveNil);
  }
  if (!block && Empty(c)) {
    // pairs with: CloseChan
    if (!c->closed.load(std::memory_order_acquire)) return RecvResult::kWouldBlock;
    if (Empty(c)) return RecvResult::kClosed;
  }
  if (block) PreemptCheck();
  G* gp = block ? CurrentG() : nullptr;  // may allocate: not under the lock
  do {
    G* wake = nullptr;
    c->lock.Lock();
    Attempt attempt = RecvLocked(c, dst, &wake);
    if (attempt != Attempt::kWouldBlock || !block) {
      c->lock.Unlock();
      if (wake != nullptr) GoReady(wake);
      if (attempt == Attempt::kDone) return RecvResult::kReceived;
      return attempt == Attempt::kClosed ? RecvResult::kClosed : RecvResult::kWouldBlock;
    }
    // Woken with nothing done: the channel was closed, or a sender's element threw. Look again.
  } while (!WaitIn(&c->recvq, c, gp, dst, WaitReason::kChanReceive));
  return RecvResult::kReceived;
}

void ChanUnrecv(HChan* c, BoxBase* box) {
  G* wake = nullptr;
  {
    LockGuard guard(&c->lock);
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
