// proc/sudog_cache.cc: sudogs, cached per P, with a central list behind.
#include "gort/proc/sudog_cache.h"

#include <cstring>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/platforms/pins.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

// How many sudogs move between a P and the central list at once: half of the P's cache.
constexpr int kBatch = kSudogCacheSize / 2;

Sudog* Fresh() { return static_cast<Sudog*>(PersistentAlloc(sizeof(Sudog), alignof(Sudog))); }

Sudog* FromCentral() {
  LockGuard l(&sched.sudog_lock);
  Sudog* s = sched.sudogcache;
  if (s != nullptr) sched.sudogcache = s->waitlink;
  return s;
}

GORT_COLD void Refill(P* pp) {
  {
    LockGuard l(&sched.sudog_lock);
    while (pp->sudog_n < kBatch && sched.sudogcache != nullptr) {
      Sudog* s = sched.sudogcache;
      sched.sudogcache = s->waitlink;
      s->waitlink = nullptr;
      pp->sudogbuf[pp->sudog_n++] = s;
    }
  }
  if (pp->sudog_n == 0) pp->sudogbuf[pp->sudog_n++] = Fresh();
}

GORT_COLD void Spill(P* pp) {
  Sudog* first = nullptr;
  Sudog* last = nullptr;
  for (int i = 0; i < kBatch; ++i) {
    Sudog* s = pp->sudogbuf[--pp->sudog_n];
    if (last == nullptr) last = s;
    s->waitlink = first;
    first = s;
  }
  LockGuard l(&sched.sudog_lock);
  last->waitlink = sched.sudogcache;
  sched.sudogcache = first;
}

}  // namespace

Sudog* AcquireSudog() {
  PinnedWithP pinned;
  G* gp = CurrentG();
  P* pp = gp->m->p.load(std::memory_order_relaxed);
  Sudog* s;
  if (pp == nullptr) {  // a foreign thread
    s = FromCentral();
    if (s == nullptr) s = Fresh();
  } else {
    if (GORT_UNLIKELY(pp->sudog_n == 0)) Refill(pp);
    s = pp->sudogbuf[--pp->sudog_n];
  }
  memset(static_cast<void*>(s), 0, sizeof *s);
  s->g = gp;
  return s;
}

void ReleaseSudog(Sudog* s) {
  if (s->elem != nullptr) Throw("runtime: sudog with non-nil elem");
  if (s->next != nullptr || s->prev != nullptr) Throw("runtime: sudog with non-nil link");
  if (s->waitlink != nullptr) Throw("runtime: sudog with non-nil waitlink");
  if (s->c != nullptr) Throw("runtime: sudog with non-nil c");
  PinnedWithP pinned;
  P* pp = CurrentG()->m->p.load(std::memory_order_relaxed);
  if (pp == nullptr) {
    LockGuard l(&sched.sudog_lock);
    s->waitlink = sched.sudogcache;
    sched.sudogcache = s;
    return;
  }
  if (GORT_UNLIKELY(pp->sudog_n == kSudogCacheSize)) Spill(pp);
  pp->sudogbuf[pp->sudog_n++] = s;
}

// Go: part of p.destroy
void SudogPurge(P* pp) {
  LockGuard l(&sched.sudog_lock);
  while (pp->sudog_n > 0) {
    Sudog* s = pp->sudogbuf[--pp->sudog_n];
    s->waitlink = sched.sudogcache;
    sched.sudogcache = s;
  }
}

}  // namespace gort::rt
