// proc/foreign.cc: threads that the runtime did not create.
//
// Such a thread gets an M and a G of its own on first use. The G is always "running"; parking it
// blocks the thread on the M's note, readying it wakes the thread, and no run queue ever holds it.
// So channels and locks need no second code path. Go's extra Ms (needm) serve the same purpose but
// take a P; here a foreign thread never needs one, because its own code is not scheduled.
#include <pthread.h>

#include <new>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/labels.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/platforms/thread.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

struct FreeList {
  Mutex mu;  // not ranked: taken with no other lock held
  M* head ABSL_GUARDED_BY(mu) = nullptr;
};
constinit FreeList extra;

M* Take() {
  {
    LockGuard l(&extra.mu);
    if (M* mp = extra.head; mp != nullptr) {
      extra.head = mp->freelink;
      mp->freelink = nullptr;
      return mp;
    }
  }
  M* mp = new (PersistentAlloc(sizeof(M), alignof(M))) M;
  G* gp = new (PersistentAlloc(sizeof(G), alignof(G))) G;
  mp->g0 = gp;
  mp->id = -1;
  mp->rand.Seed(reinterpret_cast<uintptr_t>(mp));
  gp->foreign = true;
  gp->m = mp;
  gp->atomicstatus.store(kGDead, std::memory_order_relaxed);
  return mp;
}

// Gives the M of a thread that ends back to the free list.
void Detach(void* arg) {
  M* mp = static_cast<M*>(arg);
  EndLocals(mp->g0);
  ReplaceLabels(mp->g0, nullptr);
  CasGStatus(mp->g0, kGRunning, kGDead);
  mp->curg.store(nullptr, std::memory_order_relaxed);
  Setg(nullptr);
  {
    LockGuard l(&extra.mu);
    mp->freelink = extra.head;
    extra.head = mp;
  }
  sched.nattached.fetch_sub(1);
  if (sched.nforeign.fetch_sub(1) == 1) RequestDeadCheck();
}

// Has Detach called when the thread ends. A key of pthread_key_create(3) serves, because its
// destructor runs after those of all thread_local objects, which may still call gort, and runs again
// when a destructor after it does so. A thread_local object of gort's could go before theirs.
void DetachAtThreadEnd(M* mp) {
  static const pthread_key_t key = [] {
    pthread_key_t made;
    if (pthread_key_create(&made, &Detach) != 0) Throw("no thread-specific key left");
    return made;
  }();
  if (pthread_setspecific(key, mp) != 0) Throw("out of memory (thread-specific value)");
}

GORT_COLD G* Attach() {
  M* mp = Take();
  G* gp = mp->g0;
  CasGStatus(gp, kGDead, kGRunning);
  mp->tid.store(ThreadId(), std::memory_order_relaxed);
  mp->curg.store(gp, std::memory_order_relaxed);
  Setg(gp);
  // In this order: CheckDead reads nattached before it reads nforeign for the last time, so a thread
  // that it no longer takes for a stranger is in nforeign by then.
  sched.nforeign.fetch_add(1);
  sched.nattached.fetch_add(1);
  DetachAtThreadEnd(mp);
  return gp;
}

}  // namespace

G* CurrentG() {
  G* gp = Getg();
  if (GORT_UNLIKELY(gp == nullptr)) return Attach();
  if (GORT_UNLIKELY(!gp->foreign && gp == gp->m->g0)) Throw("goroutine API called on g0");
  return gp;
}

bool OnGoroutine() {
  G* gp = Getg();
  return gp != nullptr && !gp->foreign && gp != gp->m->g0;
}

namespace {

// The threads that ThreadSanitizer's runtime and an emulator start are no one to wait for.
int ThreadsAlone() {
  const int at_entry = ThreadCountAtEntry() > 1 ? ThreadCountAtEntry() : 1;
  return at_entry + (GORT_TSAN ? 1 : 0);
}

// Before the runtime starts goroutines do not run. Where no other thread is that could start it, or
// wake this one, waiting would never end. (A count of 0: not known.)
GORT_COLD void CheckBeforeStart() {
  const int threads = ThreadCount();
  if (threads == 0 || threads > ThreadsAlone()) return;
  Fatal("blocked before gort::Run: no goroutine runs yet, and there is no other thread");
}

}  // namespace

void ForeignPark(G* gp, bool (*unlockf)(G*, void*), void* lock, WaitReason reason) {
  M* mp = gp->m;
  // pairs with: SchedInit. The runtime's own thread counts from its creation.
  if (!sched.initialised.load(std::memory_order_acquire)) CheckBeforeStart();
  gp->waitreason = reason;
  gp->waitsince = sched.coarse_now.load(std::memory_order_relaxed);
  CasGStatus(gp, kGRunning, kGWaiting);
  if (unlockf != nullptr && !unlockf(gp, lock)) {
    CasGStatus(gp, kGWaiting, kGRunnable);
  } else {
    MPark(mp);
  }
  CasGStatus(gp, kGRunnable, kGRunning);
}

void ForeignReady(G* gp) {
  CasGStatus(gp, kGWaiting, kGRunnable);
  gp->m->park.Wakeup();
}

void AttachExternalWaker() { sched.nforeign.fetch_add(1); }

void DetachExternalWaker() {
  if (sched.nforeign.fetch_sub(1) != 1) return;
  // Every CheckDead before this one saw nforeign > 0 and reported nothing: look now.
  LockGuard l(&sched.lock);
  CheckDead();
}

}  // namespace gort::rt
