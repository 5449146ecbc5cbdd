// chan/internal/wait_queue.h: who waits on a channel: the bodies of WaitQ (hchan.h) and the start of
// an operation that may wait, for the operations they are inlined into.
// Layer     7. Used by hchan.cc and select.cc.
#ifndef GORT_CHAN_INTERNAL_WAIT_QUEUE_H_
#define GORT_CHAN_INTERNAL_WAIT_QUEUE_H_

#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/chan/internal/hchan.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sudog.h"
#include "gort/proc/proc.h"

namespace gort::rt {

inline void WaitQ::Enqueue(Sudog* s) {
  s->next = nullptr;
  s->prev = last_;
  if (last_ != nullptr) {
    last_->next = s;
  } else {
    SetFirst(s);
  }
  last_ = s;
}

GORT_ALWAYS_INLINE Sudog* WaitQ::Dequeue() {
  while (true) {
    Sudog* s = First();
    if (GORT_LIKELY(s == nullptr)) return nullptr;
    Sudog* next = s->next;
    SetFirst(next);
    (next != nullptr ? next->prev : last_) = nullptr;
    s->next = nullptr;
    if (!s->is_select) return s;
    // The winner's writes reach the select through its locks and through GoReady; the CAS itself
    // only has to be won once.
    uint32_t waiting = 0;
    if (s->g->select_done.compare_exchange_strong(waiting, 1)) return s;
  }
}

inline void WaitQ::Remove(Sudog* s) {
  if (s->prev == nullptr && First() != s) return;  // taken off by a Dequeue
  if (s->prev != nullptr) {
    s->prev->next = s->next;
  } else {
    SetFirst(s->next);
  }
  (s->next != nullptr ? s->next->prev : last_) = s->prev;
  s->next = s->prev = nullptr;
}

// The G that is about to use a channel and may wait; this is also where it can be pre-empted.
// Attaches a thread without one, which may allocate: not under the lock.
GORT_ALWAYS_INLINE G* Caller() {
  G* gp = Getg();
  if (GORT_UNLIKELY(gp == nullptr)) return CurrentG();
  // A request seen late is only late.
  if (GORT_UNLIKELY(gp->stackguard0.load(std::memory_order_relaxed) == kStackPreempt)) {
    PreemptCheck();
  }
  return gp;
}

}  // namespace gort::rt

#endif  // GORT_CHAN_INTERNAL_WAIT_QUEUE_H_
