// proc/m.cc: the life of an M: creation, sleeping and waking, the end of its thread.
#include <cxxabi.h>
#include <pthread.h>

#include <cerrno>
#include <new>

#include "gort/base/godebug.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/switch.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/pins.h"
#include "gort/platforms/thread.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"
#include "gort/proc/stay.h"
#include "gort/signals/signals.h"

namespace gort::rt {

int64_t MReserveId() {
  if (sched.mnext + 1 < sched.mnext) Throw("runtime: thread ID overflow");
  int64_t id = sched.mnext++;
  CheckMCount();
  return id;
}

int32_t MCount() { return static_cast<int32_t>(sched.mnext - sched.nmfreed); }

void CheckMCount() {
  if (MCount() <= sched.maxmcount) return;
  Printer() << "runtime: program exceeds " << sched.maxmcount << "-thread limit\n";
  Throw("thread exhaustion");
}

int SetMaxThreads(int n) {
  LockGuard l(&sched.lock);
  const int32_t old = sched.maxmcount;
  sched.maxmcount = n;
  CheckMCount();
  return old;
}

void MCommonInit(M* mp, int64_t id) {
  LockGuard l(&sched.lock);
  mp->id = id >= 0 ? id : MReserveId();
  // Never zero: a generator seeded with zero repeats one number.
  uint64_t seed = static_cast<uint64_t>(mp->id) * 0x9e3779b97f4a7c15ULL ^ sched.seed ^
                  (godebug.schedseed != 0 ? 0 : static_cast<uint64_t>(CpuTicks()));
  mp->rand.Seed(seed != 0 ? seed : 1);
  // Published when it is complete. Walkers of allm need sched.lock against AllMRemove.
  mp->alllink = allm.load(std::memory_order_relaxed);
  allm.store(mp, std::memory_order_release);
}

namespace {

// Makes an M that has ended as good as new. A constructor would not do: PreemptOne and walkers of
// allm may still look at the M, so what they read changes atomically.
void ResetM(M* mp) {
  mp->tid.store(0, std::memory_order_relaxed);
  mp->curg.store(nullptr, std::memory_order_relaxed);
  mp->p.store(nullptr, std::memory_order_relaxed);
  mp->lockedg.store(nullptr, std::memory_order_relaxed);
  mp->signal_pending.store(0, std::memory_order_relaxed);
  mp->signal_again.store(0, std::memory_order_relaxed);
  mp->free_wait.store(0, std::memory_order_relaxed);
  mp->nextp = nullptr;
  mp->oldp = nullptr;
  mp->after_fn = nullptr;
  mp->after_g = nullptr;
  mp->waitunlockf = nullptr;
  mp->spinning = false;
  mp->blocked = false;
  mp->locks = 0;
  mp->dying.store(0, std::memory_order_relaxed);
  mp->park.Clear();
  mp->schedlink = nullptr;
  mp->locked_ext = 0;
  mp->mstartfn = nullptr;
  mp->exiting = false;
}

// An M whose thread has touched it for the last time. Go: the freem part of allocm
M* TakeFreeM() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  for (M** at = &sched.freem; *at != nullptr; at = &(*at)->freelink) {
    M* mp = *at;
    if (mp->free_wait.load(std::memory_order_acquire) == 0) continue;  // pairs with: MExit
    *at = mp->freelink;
    mp->freelink = nullptr;
    ResetM(mp);
    return mp;
  }
  return nullptr;
}

M* AllocM(int64_t id) {
  M* mp;
  {
    LockGuard l(&sched.lock);
    mp = TakeFreeM();
  }
  G* g0_of_m;
  if (mp != nullptr) {
    g0_of_m = mp->g0;
    g0_of_m->~G();
  } else {
    mp = new (PersistentAlloc(sizeof(M), alignof(M))) M;
    g0_of_m = static_cast<G*>(PersistentAlloc(sizeof(G), alignof(G)));
    mp->g0 = g0_of_m;
  }
  new (g0_of_m) G;
  g0_of_m->m = mp;
  g0_of_m->atomicstatus.store(kGRunning, std::memory_order_relaxed);
  MCommonInit(mp, id);
  return mp;
}

void ThreadMain(void* arg) { MStart(static_cast<M*>(arg)); }

[[noreturn]] GORT_COLD void ThreadCreateFailed(int err, int64_t count) {
  Printer() << "runtime: failed to create new OS thread (have " << count
            << " already; errno=" << err << ")\n";
  if (err == EAGAIN) {
    Printer() << "runtime: may need to increase max user processes (ulimit -u)\n";
  }
  Throw("newosproc");
}

// Go: mspinning
void MSpinning() { Getg()->m->spinning = true; }

}  // namespace

void NewM(void (*fn)(), P* pp, int64_t id) {
  Pinned pinned;
  // On g0: creating a thread needs more stack than a small goroutine may have.
  OnSystemStack([&] {
    M* mp = AllocM(id);
    mp->nextp = pp;
    mp->mstartfn = fn;
    if (!LeaveToTemplateThread(mp)) MCreateThread(mp);
  });
}

namespace {

// Unlinks mp from allm. Go: the search in mexit
void AllMRemove(M* mp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  M* at = allm.load(std::memory_order_relaxed);
  if (at == mp) {
    allm.store(mp->alllink, std::memory_order_release);
    return;
  }
  while (at != nullptr && at->alllink != mp) at = at->alllink;
  if (at == nullptr) Throw("m not found in allm");
  at->alllink = mp->alllink;
}

}  // namespace

bool MakeSpareM() {
  {
    LockGuard l(&sched.lock);
    if (MCount() >= sched.maxmcount) return false;
  }
  M* mp = AllocM(-1);
  ThreadHandle thread = 0;
  if (ThreadCreate(&thread, &ThreadMain, mp) == 0) {
    ThreadDetach(thread);
    return true;
  }
  LockGuard l(&sched.lock);
  AllMRemove(mp);
  mp->freelink = sched.freem;
  sched.freem = mp;
  mp->free_wait.store(1, std::memory_order_release);
  ++sched.nmfreed;
  CheckDead();
  return false;
}

void MCreateThread(M* mp) {
  ThreadHandle thread = 0;
  int err = ThreadCreate(&thread, &ThreadMain, mp);
  if (err != 0) ThreadCreateFailed(err, mp->id);
  // The thread is not joined: free_wait tells when its M may be used again (MExit).
  ThreadDetach(thread);
}

namespace {

void ThreadEnded(void*) {
  Fatal("a goroutine ended its thread (pthread_exit, pthread_cancel): use gort::Goexit");
}

// Makes the end of the calling thread fatal while it runs mp, whose P nobody would have any more. Null:
// the thread may end.
void GuardThreadEnd(M* mp) {
  static const pthread_key_t key = [] {
    pthread_key_t made;
    if (pthread_key_create(&made, &ThreadEnded) != 0) Throw("no thread-specific key left");
    return made;
  }();
  if (pthread_setspecific(key, mp) != 0) Throw("out of memory (thread-specific value)");
}

// What belongs to the thread rather than to the M. Go: minit
GORT_NOINLINE void MInit(M* mp) {
  GuardThreadEnd(mp);
  mp->stack_base = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  mp->tid.store(ThreadId(), std::memory_order_relaxed);
  // A thread is born with its creator's name, which may be sysmon's.
  if (mp != &m0 && sched.program[0] != '\0') ThreadSetName(sched.program);
  mp->eh = reinterpret_cast<EhGlobals*>(abi::__cxa_get_globals());
  mp->errno_ptr = &errno;
  {
    LockGuard l(&mp->thread_lock);
    mp->pins = PinsOfThisThread();
    mp->mcache = &t_mcache;
  }
  G* g0_of_m = mp->g0;
  if (!ThreadStackBounds(&g0_of_m->stack.lo, &g0_of_m->stack.hi)) {
    uintptr_t here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    g0_of_m->stack = {here - (64 << 10) + 104, here};
  }
  g0_of_m->stackguard0.store(g0_of_m->stack.lo, std::memory_order_relaxed);
  g0_of_m->stackguard1 = g0_of_m->stack.lo;
#if GORT_TSAN
  g0_of_m->tsan_fiber = __tsan_get_current_fiber();
#endif
  MInitSignalStack(mp);
}

// The thread leaves the scheduler for good. Go: mexit
void MExit(M* mp) {
  if (mp == &m0) {
    // The process keeps its main thread, which sleeps from here on.
    HandoffP(ReleaseP());
    sched.lock.Lock();
    ++sched.nmfreed;
    sched.m0_exited = true;
    CheckDead();
    sched.lock.Unlock();
    MPark(mp);
    Throw("locked m0 woke up");
  }
  GuardThreadEnd(nullptr);
  MDropSignalStack(mp);
  mp->tid.store(0, std::memory_order_relaxed);
  {
    LockGuard l(&mp->thread_lock);
    mp->pins = nullptr;
    mp->mcache = nullptr;
  }
  P* pp = ReleaseP();
  sched.lock.Lock();
  AllMRemove(mp);
  mp->freelink = sched.freem;
  sched.freem = mp;
  sched.lock.Unlock();
  HandoffP(pp);
  sched.lock.Lock();
  ++sched.nmfreed;
  CheckDead();
  sched.lock.Unlock();
  Setg(nullptr);
  mp->free_wait.store(1, std::memory_order_release);  // the last touch; pairs with: TakeFreeM
}

}  // namespace

namespace {

// A new M comes with a P, or as a spare (AskForSpareM). A spare looks for work once, because work may
// have come while there was no M for it.
void FirstP(M* mp) {
  P* pp = mp->nextp;
  mp->nextp = nullptr;
  // Only now: on its way here the thread has waited for the program's malloc, perhaps.
  if (pp != nullptr) CountBirths(-1);
  if (pp == nullptr && sched.npidle.load() != 0) {
    LockGuard l(&sched.lock);
    pp = PidleGet();
  }
  if (pp == nullptr) {
    StopM();
  } else {
    AcquireP(pp);
  }
}

}  // namespace

void MStart(M* mp) {
  Setg(mp->g0);
  if (mp != &m0) MInit(mp);
  if (mp->mstartfn != nullptr) mp->mstartfn();
  if (mp != &m0) FirstP(mp);
  ScheduleLoop(mp);
  MExit(mp);
}

void M0Init() {
  m0.g0 = &g0;
  g0.m = &m0;
  g0.atomicstatus.store(kGRunning, std::memory_order_relaxed);
  Setg(&g0);
  SigSet mask = SigCurrentMask();
  m0.sigmask = mask;
  MInit(&m0);
}

void MPut(M* mp) {
  mp->schedlink = sched.midle;
  sched.midle = mp;
  ++sched.nmidle;
  CheckDead();
}

M* MGet() {
  M* mp = sched.midle;
  if (mp != nullptr) {
    sched.midle = mp->schedlink;
    mp->schedlink = nullptr;
    --sched.nmidle;
  }
  return mp;
}

void MPark(M* mp) {
  mp->blocked = true;
  mp->park.Sleep();
  mp->blocked = false;
  mp->park.Clear();
}

void StopM() {
  M* mp = Getg()->m;
  if (mp->locks != 0) Throw("stopm holding locks");
  if (mp->p.load(std::memory_order_relaxed) != nullptr) Throw("stopm holding p");
  if (mp->spinning) Throw("stopm spinning");
  {
    LockGuard l(&sched.lock);
    MPut(mp);
  }
  MPark(mp);
  AcquireP(mp->nextp);
  mp->nextp = nullptr;
}

void StartM(P* pp, bool spinning) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Pinned pinned;
  sched.lock.Lock();
  if (pp == nullptr) {
    if (spinning) Throw("startm: P required for spinning=true");
    pp = PidleGet();
    if (pp == nullptr) {
      sched.lock.Unlock();
      return;
    }
  }
  M* mp = MGet();
  if (mp == nullptr) {
    if (G* gp = TakeWiredWaiter(); gp != nullptr) {
      sched.lock.Unlock();
      HandToWired(pp, gp);
      if (!spinning) return;
      sched.nmspinning.fetch_sub(1);
      WakeP();  // pp does not look for work
      return;
    }
    int64_t id = MReserveId();
    CountBirths(1);  // in one step with the look for a waiter
    sched.lock.Unlock();
    NewM(spinning ? &MSpinning : nullptr, pp, id);
    return;
  }
  sched.lock.Unlock();
  if (mp->spinning) Throw("startm: m is spinning");
  if (mp->nextp != nullptr) Throw("startm: m has p");
  if (spinning && !RunqEmpty(pp)) Throw("startm: p has runnable gs");
  mp->spinning = spinning;
  mp->nextp = pp;
  mp->park.Wakeup();
}

void WakeP() {
  Pinned pinned;  // from PidleGetSpinning to StartM
  // Steps 2 and 3 of the submitter in find_runnable.cc; step 1 was Submit's.
  if (sched.npidle.load() == 0 || sched.nmspinning.load() != 0) return;
  if (!sched.main_started.load(std::memory_order_relaxed))
    return;  // set before the second M exists
  int32_t none = 0;
  if (!sched.nmspinning.compare_exchange_strong(none, 1)) return;
  P* pp;
  {
    LockGuard l(&sched.lock);
    pp = PidleGetSpinning();
    if (pp == nullptr && sched.nmspinning.fetch_sub(1) - 1 < 0) Throw("wakep: negative nmspinning");
  }
  if (pp != nullptr) StartM(pp, true);
}

}  // namespace gort::rt
