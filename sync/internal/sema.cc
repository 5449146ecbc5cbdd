#include "gort/sync/internal/sema.h"

#include <functional>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/gmp/g.h"
#include "gort/gmp/profile_hook.h"
#include "gort/gmp/sudog.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"

// The table has a prime number of roots; a root holds the waiters of all addresses that hash to it,
// as a treap with one node per address: a search tree by address and a heap by a random ticket,
// hence of logarithmic depth whatever the addresses are. The node is the sudog of the first waiter;
// the others of that address hang off it in a list (waitlink, with waittail in the node).
//   Sudog fields: elem = the address while it is queued, prev = left child, next = right child,
//   parent, ticket; of one in a list that is not the node, prev = the one before it.
//
// No wake-up is lost, because each side writes before it looks: a waiter counts itself in nwait and
// then looks at *addr, a releaser adds to *addr and then looks at nwait. All four are sequentially
// consistent, so at least one of the two sees the other.
//
// Of a sudog off the tree, ticket says whether the unit was handed over, or its wait was given up.

namespace gort::rt {
namespace {

constexpr uint32_t kHandedOver = 1;
constexpr uint32_t kGivenUp = 2;

class alignas(kCacheLine) SemaRoot {
 public:
  Mutex lock{LockRank::kRoot};
  std::atomic<uint32_t> nwait{0};  // waiters; changed under lock, read by anybody

  void Queue(const void* addr, Sudog* s, bool lifo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // The first waiter of addr, off the tree, its ticket 0; null: none.
  Sudog* Dequeue(const void* addr) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // How long the waiters of addr that are timed have waited, all together. From here on they wait anew:
  // it is counted against one releaser.
  int64_t TakeWaits(const void* addr, int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // Takes s, which is queued, off the tree.
  void Remove(Sudog* s) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);

 private:
  // The node of addr; null: nobody waits there.
  Sudog* Find(const void* addr) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // Takes a node off; the next of its list becomes the node.
  void RemoveNode(Sudog* s) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // The pointer that points to s.
  Sudog** Link(Sudog* s) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // Turns the tree so that s and its parent change places.
  void RotateUp(Sudog* s) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // s becomes the node that t was; t keeps only its place in lists.
  void Replace(Sudog* t, Sudog* s) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);

  Sudog* treap_ ABSL_GUARDED_BY(lock) = nullptr;
  FastRand rand_ ABSL_GUARDED_BY(lock);
};

Sudog** SemaRoot::Link(Sudog* s) {
  Sudog* p = s->parent;
  if (p == nullptr) return &treap_;
  return p->prev == s ? &p->prev : &p->next;
}

void SemaRoot::RotateUp(Sudog* s) {
  Sudog* p = s->parent;
  Sudog** top = Link(p);
  // The subtree between the two changes sides.
  bool left = p->prev == s;
  Sudog** from = left ? &s->next : &s->prev;
  Sudog** to = left ? &p->prev : &p->next;
  *to = *from;
  if (*to != nullptr) (*to)->parent = p;
  *from = p;
  s->parent = p->parent;
  p->parent = s;
  *top = s;
}

void SemaRoot::Replace(Sudog* t, Sudog* s) {
  *Link(t) = s;
  s->parent = t->parent;
  s->prev = t->prev;
  s->next = t->next;
  s->ticket = t->ticket;
  if (s->prev != nullptr) s->prev->parent = s;
  if (s->next != nullptr) s->next->parent = s;
  t->parent = t->prev = t->next = nullptr;
  t->ticket = 0;
}

void SemaRoot::Queue(const void* addr, Sudog* s, bool lifo) {
  s->elem = const_cast<void*>(addr);
  s->prev = s->next = s->parent = s->waitlink = s->waittail = nullptr;
  Sudog** link = &treap_;
  Sudog* parent = nullptr;
  while (Sudog* t = *link) {
    if (t->elem != addr) {
      parent = t;
      link = std::less<>()(addr, static_cast<const void*>(t->elem)) ? &t->prev : &t->next;
      continue;
    }
    Sudog* last = t->waittail != nullptr ? t->waittail : t;
    if (lifo) {
      Replace(t, s);
      s->waitlink = t;
      s->waittail = last;
      t->waittail = nullptr;
      t->prev = s;
    } else {
      last->waitlink = s;
      s->prev = last;
      t->waittail = s;
    }
    return;
  }
  s->ticket = rand_.Next();
  s->parent = parent;
  *link = s;
  while (s->parent != nullptr && s->ticket < s->parent->ticket) RotateUp(s);
}

Sudog* SemaRoot::Find(const void* addr) {
  Sudog* s = treap_;
  while (s != nullptr && s->elem != addr) {
    s = std::less<>()(addr, static_cast<const void*>(s->elem)) ? s->prev : s->next;
  }
  return s;
}

void SemaRoot::RemoveNode(Sudog* s) {
  if (Sudog* heir = s->waitlink) {
    Replace(s, heir);
    heir->waittail = heir->waitlink != nullptr ? s->waittail : nullptr;
    return;
  }
  // Turns the node down to a leaf, each time below its child of lower ticket, and takes it off.
  while (s->prev != nullptr || s->next != nullptr) {
    bool left = s->next == nullptr || (s->prev != nullptr && s->prev->ticket < s->next->ticket);
    RotateUp(left ? s->prev : s->next);
  }
  *Link(s) = nullptr;
  s->parent = nullptr;
  s->ticket = 0;
}

Sudog* SemaRoot::Dequeue(const void* addr) {
  Sudog* s = Find(addr);
  if (s == nullptr) return nullptr;
  RemoveNode(s);
  s->elem = nullptr;
  s->waitlink = s->waittail = nullptr;
  return s;
}

int64_t SemaRoot::TakeWaits(const void* addr, int64_t now) {
  constexpr int kMost = 100;  // of a longer queue the others' time is the next releasers'
  int64_t sum = 0;
  Sudog* s = Find(addr);
  for (int i = 0; s != nullptr && i < kMost; ++i, s = s->waitlink) {
    if (s->acquiretime == 0) continue;
    sum += now - s->acquiretime;
    s->acquiretime = now;
  }
  return sum;
}

void SemaRoot::Remove(Sudog* s) {
  Sudog* node = Find(s->elem);
  if (node == s) {
    RemoveNode(s);
  } else {
    s->prev->waitlink = s->waitlink;
    if (s->waitlink != nullptr) {
      s->waitlink->prev = s->prev;
    } else {
      node->waittail = s->prev != node ? s->prev : nullptr;
    }
  }
  s->elem = nullptr;
  s->prev = s->waitlink = s->waittail = nullptr;
}

constexpr size_t kRoots = 251;
// Through it a waiter can be found, but woken only by who has the address.
GORT_NOT_REACHING constinit SemaRoot roots[kRoots];

// A wait that some owner of a lock is to blame for.
bool Timed(WaitReason reason) {
  return GORT_UNLIKELY(ProfilingMutex()) &&
         (reason == WaitReason::kSyncMutexLock || reason == WaitReason::kSyncRWMutexLock ||
          reason == WaitReason::kSyncRWMutexRLock);
}

SemaRoot& RootFor(const void* addr) {
  return roots[(reinterpret_cast<uintptr_t>(addr) >> 3) % kRoots];
}

}  // namespace

bool SemTryAcquire(std::atomic<uint32_t>* addr) {
  uint32_t n = addr->load();
  while (n > 0) {
    if (addr->compare_exchange_weak(n, n - 1)) return true;
  }
  return false;
}

void SemAcquire(std::atomic<uint32_t>* addr, bool lifo, WaitReason reason) {
  if (SemTryAcquire(addr)) return;
  SemWait wait;
  SemAcquireOr(addr, lifo, reason, &wait);
}

// The call that takes the sudog off the table does not touch it after it has readied the goroutine.
bool SemAcquireOr(std::atomic<uint32_t>* addr, bool lifo, WaitReason reason, SemWait* wait) {
  if (SemTryAcquire(addr)) return true;
  Sudog& s = wait->s;
  s.g = CurrentG();
  s.ticket = 0;
  SemaRoot& root = RootFor(addr);
  while (true) {
    root.lock.Lock();
    if (wait->given_up) {
      root.lock.Unlock();
      return false;
    }
    root.nwait.fetch_add(1);
    if (SemTryAcquire(addr)) {
      root.nwait.fetch_sub(1);
      root.lock.Unlock();
      return true;
    }
    s.acquiretime = Timed(reason) ? Nanotime() : 0;
    root.Queue(addr, &s, lifo);
    s.g->waiting = &s;  // for the search for leaks
    GoParkUnlock(&root.lock, reason);
    s.g->waiting = nullptr;
    if (s.ticket == kGivenUp) return false;
    if (s.ticket == kHandedOver || SemTryAcquire(addr)) return true;
  }
}

G* SemGiveUp(const std::atomic<uint32_t>* addr, SemWait* wait) {
  SemaRoot& root = RootFor(addr);
  LockGuard guard(&root.lock);
  wait->given_up = true;
  if (wait->s.elem == nullptr) return nullptr;
  root.Remove(&wait->s);
  root.nwait.fetch_sub(1);
  wait->s.ticket = kGivenUp;
  return wait->s.g;
}

void SemRelease(std::atomic<uint32_t>* addr, bool handoff) {
  SemaRoot& root = RootFor(addr);
  addr->fetch_add(1);
  if (root.nwait.load() == 0) return;
  Sudog* s;
  int64_t waited = 0;
  {
    LockGuard guard(&root.lock);
    if (root.nwait.load(std::memory_order_relaxed) == 0) return;  // changed under lock only
    if (GORT_UNLIKELY(ProfilingMutex())) waited = root.TakeWaits(addr, Nanotime());
    s = root.Dequeue(addr);
    if (s == nullptr) return;
    root.nwait.fetch_sub(1);
  }
  // Somebody waits at addr, so what addr lies in still exists.
  if (handoff && SemTryAcquire(addr)) s->ticket = kHandedOver;
  GoReady(s->g);
  if (GORT_UNLIKELY(waited > 0)) contention_hook(waited);
}

}  // namespace gort::rt
