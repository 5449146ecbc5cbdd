// proc/stw.cc: stopping the world and starting it again.
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/trace_hook.h"
#include "gort/platforms/clock.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/monitor.h"
#include "gort/proc/on_goroutine.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

constexpr int64_t kRetryNs = 100'000;  // how often pre-emption is asked for again

// Lets one goroutine at a time stop the world; the others park. Go: worldsema
struct WorldSema {
  Mutex mu;  // not ranked: taken with no other lock held
  bool held ABSL_GUARDED_BY(mu) = false;
  GQueue waiters ABSL_GUARDED_BY(mu);
};
constinit WorldSema world_sema;

// The number of Ps that StartTheWorld shall bring up; 0: as many as there were. Written with the
// world stopped.
constinit int32_t new_procs ABSL_GUARDED_BY(sched.lock) = 0;

void WorldAcquire(WaitReason reason) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  world_sema.mu.Lock();
  if (!world_sema.held) {
    world_sema.held = true;
    world_sema.mu.Unlock();
    return;
  }
  world_sema.waiters.PushBack(CurrentG());
  GoParkUnlock(&world_sema.mu, reason);  // the releaser hands it over
}

void WorldRelease() {
  G* next;
  {
    LockGuard l(&world_sema.mu);
    next = world_sema.waiters.Pop();
    if (next == nullptr) world_sema.held = false;
  }
  if (next != nullptr) GoReady(next);
}

// Stops every P that no M runs, and has the Ms of the others see gcwaiting. True: all Ps are stopped.
bool TakePs() {
  P* own = Getg()->m->p.load(std::memory_order_relaxed);
  LockGuard l(&sched.lock);
  int32_t n = gomaxprocs.load(std::memory_order_relaxed);
  sched.stopwait = n;
  sched.gcwaiting.store(true);
  SetPStatus(own, kPGcStop);
  --sched.stopwait;
  for (int32_t i = 0; i < n; ++i) {
    P* pp = allp[i].load(std::memory_order_relaxed);
    if (CasPStatus(pp, kPSyscall, kPGcStop)) {
      pp->syscalltick.fetch_add(1, std::memory_order_relaxed);
      TraceAt(pp, TraceEv::kSysBlock);
      --sched.stopwait;
    }
  }
  while (P* pp = PidleGet()) {
    SetPStatus(pp, kPGcStop);
    --sched.stopwait;
  }
  return sched.stopwait == 0;
}

// Go: stopTheWorldWithSema
void Stop() {
  sched.stop_began = Nanotime();
  Trace(TraceEv::kStwBegin, nullptr);
  if (!TakePs()) {
    PreemptAll();  // without sched.lock: preempt_m may have to look functions up
    while (!sched.stopnote.TSleep(kRetryNs)) PreemptAll();
    sched.stopnote.Clear();
  }
  int32_t n = gomaxprocs.load(std::memory_order_relaxed);
  for (int32_t i = 0; i < n; ++i) {
    if (allp[i].load(std::memory_order_relaxed)->status.load(std::memory_order_relaxed) !=
        kPGcStop) {
      Throw("stopTheWorld: not stopped");
    }
  }
}

// Moves the timers of Ps that are about to go to a P that stays.
void AdoptTimers(int32_t n) {
  P* own = Getg()->m->p.load(std::memory_order_relaxed);
  P* to = own->id < n ? own : allp[0].load(std::memory_order_relaxed);
  for (int32_t i = n; i < gomaxprocs.load(std::memory_order_relaxed); ++i) {
    sched_hooks.adopt_timers(allp[i].load(std::memory_order_relaxed), to);
  }
}

// Just before the world goes on.
void CountStop() {
  const int64_t ns = Nanotime() - sched.stop_began;
  sched.stops.fetch_add(1, std::memory_order_relaxed);
  sched.stop_ns.fetch_add(ns, std::memory_order_relaxed);
  sched.stop_times.Add(static_cast<uint64_t>(ns));
  if (ns > sched.stop_longest_ns.load(std::memory_order_relaxed)) {
    sched.stop_longest_ns.store(ns, std::memory_order_relaxed);
  }
}

// Go: startTheWorldWithSema
void Start() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (sched_hooks.netpoll_inited && sched.netpoll_waiters.load() != 0) {
    GList list = sched_hooks.netpoll(0);
    InjectGList(&list, WokenBy::kPoller);
  }
  int32_t n = new_procs != 0 ? new_procs : gomaxprocs.load(std::memory_order_relaxed);
  CountStop();
  Trace(TraceEv::kStwEnd, nullptr);
  AdoptTimers(n);
  sched.lock.Lock();
  P* runnable = ProcResize(n);
  new_procs = 0;
  sched.gcwaiting.store(false);
  WakeSysmonIfWaiting();
  sched.lock.Unlock();
  while (runnable != nullptr) {
    P* pp = runnable;
    runnable = pp->link;
    pp->link = nullptr;
    M* mp = pp->m.load(std::memory_order_relaxed);
    if (mp == nullptr) {
      StartM(pp, false);
      continue;
    }
    pp->m.store(nullptr, std::memory_order_relaxed);
    if (mp->nextp != nullptr) Throw("startTheWorld: inconsistent mp->nextp");
    mp->nextp = pp;
    mp->park.Wakeup();
  }
  // The poller or the resize may have made more goroutines runnable than Ms were woken for.
  WakeP();
}

// Whose number of Ps it is.
enum class By { kProgram, kFollower };

// The program may choose until the world stands, and its choice goes before the follower's number.
void StopAndResize(int32_t n, By by, ProcsFrom from = ProcsFrom::kProgram) {
  StopTheWorld(WaitReason::kStoppingTheWorld);
  {
    LockGuard l(&sched.lock);
    const bool chosen = sched.custom_gomaxprocs.load(std::memory_order_relaxed);
    if (by == By::kProgram || !chosen) new_procs = n;
    if (by == By::kFollower && !chosen) sched.procs_from.store(from, std::memory_order_relaxed);
  }
  StartTheWorld();
}

}  // namespace

void StopTheWorld(WaitReason reason) {
  if (CurrentG()->foreign) Throw("stopTheWorld: not on a goroutine");
  WorldAcquire(reason);
  AcquireM();
  OnSystemStack([] { Stop(); });
}

void StartTheWorld() {
  M* mp = Getg()->m;
  OnSystemStack([] { Start(); });
  ReleaseM(mp);
  WorldRelease();
}

void GcStopM() {
  M* mp = Getg()->m;
  if (mp->spinning) {
    mp->spinning = false;
    if (sched.nmspinning.fetch_sub(1) - 1 < 0) Throw("gcstopm: negative nmspinning");
  }
  P* pp = ReleaseP();
  {
    LockGuard l(&sched.lock);
    if (!sched.gcwaiting.load()) {  // the world runs again: this P becomes idle like any other
      PidlePut(pp);
    } else {
      PutAsideForStop(pp);
    }
  }
  StopM();
}

bool NoteChoice(int32_t n, int32_t* old) {
  LockGuard l(&sched.lock);
  sched.procs_from.store(ProcsFrom::kProgram, std::memory_order_relaxed);
  sched.custom_gomaxprocs.store(true, std::memory_order_relaxed);
  *old = gomaxprocs.load(std::memory_order_relaxed);
  return n != (new_procs != 0 ? new_procs : *old);
}

int GoMaxProcs(int n) {
  if (n > kMaxProcs) n = kMaxProcs;
  int32_t old = 0;
  if (EarlyGoMaxProcs(n, &old)) {
    if (n >= 1) {
      sched.procs_from.store(ProcsFrom::kProgram, std::memory_order_relaxed);
      sched.custom_gomaxprocs.store(true, std::memory_order_relaxed);
    }
    return old;
  }
  if (n < 1) return gomaxprocs.load(std::memory_order_relaxed);
  if (!NoteChoice(n, &old)) return old;
  OnAGoroutine([n] {
    StopAndResize(n, By::kProgram);
    return true;
  });
  return old;
}

int SetProcs(int n, ProcsFrom from) {
  if (n > kMaxProcs) n = kMaxProcs;
  int32_t old = gomaxprocs.load(std::memory_order_relaxed);
  if (n >= 1 && n != old) StopAndResize(n, By::kFollower, from);
  return old;
}

}  // namespace gort::rt
