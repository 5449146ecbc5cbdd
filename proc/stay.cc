#include "gort/proc/stay.h"

#include <algorithm>
#include <atomic>

#include "gort/base/throw.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/trace_hook.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/platforms/pins.h"
#include "gort/platforms/thread.h"
#include "gort/platforms/thread_limit.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/internal/time_to_run.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"
#include "gort/proc/sched_seed.h"

namespace gort::rt {
namespace {

constexpr int64_t kHasItsP = -2;                  // M::lost_cpu
constexpr int64_t kLongestPauseNs = 100'000'000;  // between two looks at threads that sleep
constexpr int64_t kNotSeen = -1;                  // sysmon has not looked since the P was lost
constexpr int64_t kDeafNs = 1'000'000;            // of CPU time, since our signal was sent
constexpr int64_t kGoOnNs = 20'000;               // WithNobodyWaiting, between two looks,
constexpr int kGoOnLooks = 100;                   // and how many of them

// Goroutines that wait with their threads: at most so many, and at most so large a part of the
// threads that the process may have.
constexpr int64_t kMostStaying = 4000;
// That the process may have. Const after StayInit.
constinit int64_t system_threads ABSL_GUARDED_BY(sched.lock) = INT64_MAX;

constinit std::atomic<bool> can_take{false};     // true after StayInit
constinit std::atomic<bool> has_barrier{false};  // false for good when the barrier fails
constinit std::atomic<int> staying{0};           // goroutines in StayWithoutP
constinit std::atomic<int> without_p{0};         // Ms that have lost their P and have none yet
// For WithNobodyWaiting. A goroutine that is about to wait raises `entering`, then reads
// nobody_shall_wait; WithNobodyWaiting stores first and reads `entering` then. One of the two sees
// the other.
constinit std::atomic<int> entering{0};
constinit std::atomic<bool> nobody_shall_wait{false};

// Takes the P from gp: gp has the state of a goroutine in a system call then, and lost is set. The
// caller hands pp on. Called on mp's thread, or while mp's thread is in the program's code and
// would wait for thread_lock on its way out.
P* Lose(M* mp, G* gp, ThreadPins* pins, MCache** mcache)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mp->thread_lock) {
  P* pp = mp->p.load(std::memory_order_relaxed);
  CasGStatus(gp, kGRunning, kGSyscall);
  mp->oldp = nullptr;
  mp->p.store(nullptr, std::memory_order_relaxed);
  pp->m.store(nullptr, std::memory_order_relaxed);
  pp->syscalltick.fetch_add(1, std::memory_order_relaxed);
  TraceAt(pp, TraceEv::kGoLoseP, gp);
  ClearMCacheOf(mcache);
  mp->lost_cpu.store(kNotSeen, std::memory_order_relaxed);
  without_p.fetch_add(1, std::memory_order_relaxed);
  pins->lost.store(1, std::memory_order_relaxed);
  // The request was for the slice that ends here. If it stayed set, it would send runnext behind
  // those that were cut off (Next).
  pp->preempt.store(false, std::memory_order_relaxed);
  SetPStatus(pp, kPIdle);
  return pp;
}

// On the M's own thread, which has a P again.
void Regained(M* mp) {
  mp->lost_cpu.store(kHasItsP, std::memory_order_relaxed);
  without_p.fetch_sub(1, std::memory_order_relaxed);
  SetPLost(false);
}

// Wires gp to mp, in addition to what the program has wired.
void Wire(M* mp, G* gp) {
  ++mp->locked_ext;
  mp->lockedg.store(gp, std::memory_order_relaxed);
  gp->lockedm = mp;
  gp->rare = true;
}

void Unwire(M* mp, G* gp) {
  if (--mp->locked_ext != 0) return;
  mp->lockedg.store(nullptr, std::memory_order_relaxed);
  gp->lockedm = nullptr;
}

// regain_p_hook: on the goroutine's own stack, on its way into gort.
void RegainForCall() {
  G* gp = Getg();
  M* mp = gp->m;
  {
    // Another thread may be about to take the P, or have found that it may not.
    LockGuard l(&mp->thread_lock);
    if (!PLost()) return;
  }
  Regained(mp);
  // From here on it is a system call that returns, but on this thread.
  Wire(mp, gp);
  ExitSyscall();
  Unwire(mp, gp);
}

}  // namespace

G* TakeWiredWaiter() {
  if (staying.load(std::memory_order_relaxed) == 0 || sched.user_disabled) return nullptr;
  G* gp = sched.runq.TakeFirst([](const G* g) { return g->signal_context != nullptr; });
  if (gp == nullptr) return nullptr;
  sched.runqsize.store(sched.runqsize.load(std::memory_order_relaxed) - 1);
  --sched.nmidlelocked;
  return gp;
}

namespace {

// Interrupts the goroutines that have used so much CPU time since they lost their P. False: none of
// them has used any since the last call.
bool AskThoseWithoutP(int64_t most_ns) {
  bool computing = false;
  LockGuard l(&sched.lock);  // against AllMRemove
  for (M* mp = allm.load(std::memory_order_acquire); mp != nullptr; mp = mp->alllink) {
    const int64_t before = mp->lost_cpu.load(std::memory_order_relaxed);
    const int tid = mp->tid.load(std::memory_order_relaxed);
    if (before == kHasItsP || tid == 0) continue;
    const int64_t cpu = ThreadCpuNs(tid);
    if (cpu == before) continue;
    computing = true;
    G* gp = mp->curg.load(std::memory_order_relaxed);
    int64_t first = before;
    if (before == kNotSeen) {
      // Fails if the P is back.
      mp->lost_cpu.compare_exchange_strong(first, cpu, std::memory_order_relaxed);
    } else if (cpu - before >= most_ns && gp != nullptr) {
      gp->preempt.store(true, std::memory_order_relaxed);
      sched_hooks.preempt_m(mp);
    }
  }
  return computing;
}

// Whether as many goroutines wait with their threads as may.
bool MostAreStaying() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  const int64_t threads = std::min<int64_t>(system_threads, sched.maxmcount);
  const int64_t most = std::clamp<int64_t>(threads * 2 / 5, 1, kMostStaying);
  return staying.load(std::memory_order_relaxed) >= most;
}

// What takes a P and has a thread: an idle M, or a goroutine that waits with its thread. One of the
// two, or neither.
struct Taker {
  M* idle = nullptr;
  G* wired = nullptr;
  bool exchanged = false;  // the wired one's place among those that wait is free for another
  bool found() const { return idle != nullptr || wired != nullptr; }
};

// waits: the goroutine that gives the P keeps a thread to wait with.
Taker FindTaker(bool waits) {
  Taker taker;
  LockGuard l(&sched.lock);
  const bool full = waits && MostAreStaying();
  taker.idle = MGet();
  if (taker.idle != nullptr) return taker;
  taker.wired = TakeWiredWaiter();
  if (!full) AskForSpareM();
  taker.exchanged = full && taker.wired != nullptr;
  return taker;
}

// Puts back what FindTaker took. While a wired goroutine was not in the queue, an M may have found
// the queue empty and given its P up: that P is for the goroutine.
void SendBack(const Taker& taker) {
  P* idle = nullptr;
  {
    LockGuard l(&sched.lock);
    if (taker.idle != nullptr) MPut(taker.idle);
    if (taker.wired == nullptr) return;
    idle = PidleGet();
    if (idle == nullptr) {
      GlobRunqPutHead(taker.wired);
      ++sched.nmidlelocked;
    }
  }
  if (idle != nullptr) HandToWired(idle, taker.wired);
}

void HandTo(const Taker& taker, P* pp) {
  if (taker.exchanged) sched.exchanged.fetch_add(1, std::memory_order_relaxed);
  if (taker.wired != nullptr) return HandToWired(pp, taker.wired);
  if (taker.idle->nextp != nullptr) Throw("handto: m has p");
  taker.idle->spinning = false;
  taker.idle->nextp = pp;
  taker.idle->park.Wakeup();
}

// While the world is being stopped: pp, which is kPIdle and the caller's, counts as stopped from
// here on. False: pp is null.
bool StopIfTaken(P* pp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  if (pp == nullptr) return false;
  PutAsideForStop(pp);
  return true;
}

// Takes the P from the calling thread and returns it; null: another thread has taken it before.
P* LoseHere(M* mp, G* gp) {
  LockGuard l(&mp->thread_lock);
  return PLost() ? nullptr : Lose(mp, gp, mp->pins, mp->mcache);
}

// False: the world is not being stopped. True: *pp counts as stopped, or is null, because it has left
// before.
bool LoseForStop(M* mp, G* gp, P** pp) {
  if (GORT_LIKELY(!sched.gcwaiting.load(std::memory_order_relaxed))) return false;
  LockGuard l(&sched.lock);
  if (!sched.gcwaiting.load()) return false;
  *pp = LoseHere(mp, gp);
  StopIfTaken(*pp);
  return true;
}

// From here on gp counts as cut off. It is on its way into the global queue.
void BeginToWait(M* mp, G* gp, const SigCtx& ctx) {
  staying.fetch_add(1, std::memory_order_relaxed);
  gp->signal_context = ctx.raw();
  Wire(mp, gp);
  mp->curg.store(nullptr, std::memory_order_relaxed);
}

// Queues gp, whose P has left. looks: an M is about to get that P, and will look at the queue. Else
// a stop of the world got the P. That stop may be over, and then nobody would look at the queue: gp
// takes an idle P if there is one.
void QueueWaiter(G* gp, bool looks) {
  P* idle = nullptr;
  {
    LockGuard l(&sched.lock);
    WillBeRunnableAnywhere(nullptr, gp);
    CasGStatus(gp, kGSyscall, kGRunnable);
    if (!looks) idle = PidleGet();
    if (idle == nullptr) {
      GlobRunqPut(gp);
    } else {
      --sched.nmidlelocked;
    }
  }
  if (idle != nullptr) HandToWired(idle, gp);
}

// gp leaves the handler again, as it was before: it has lost its P, and waits for none.
void GoOnWithoutP(M* mp, G* gp) {
  ForgetRunnable(gp);
  CasGStatus(gp, kGRunnable, kGRunning);
  CasGStatus(gp, kGRunning, kGSyscall);
  mp->curg.store(gp, std::memory_order_relaxed);
  gp->signal_context = nullptr;
  Unwire(mp, gp);
  mp->lost_cpu.store(kNotSeen, std::memory_order_relaxed);
  staying.fetch_sub(1, std::memory_order_relaxed);
}

// scan_wait_hook, and HelpPinned. A report that has frozen a goroutine walks its stack, and in a
// program that is linked statically the unwinder takes a lock. The goroutine that holds this lock
// may wait for a P, and the only P may be the caller's. So the goroutines that wait go on without a
// P, one after the other, for half a slice.
void LetOneGoOn() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (staying.load(std::memory_order_relaxed) == 0 || !sched.lock.TryLock()) return;
  G* gp = TakeWiredWaiter();
  sched.lock.Unlock();
  if (gp != nullptr) HandToWired(nullptr, gp);
}

// Lives from before gp is asked to wait until gp waits where TakeWiredWaiter finds it, or goes on.
class Entering {
 public:
  Entering() { entering.fetch_add(1); }
  ~Entering() { entering.fetch_sub(1); }
  Entering(const Entering&) = delete;
  Entering& operator=(const Entering&) = delete;
  bool May() const { return !nobody_shall_wait.load(); }
};

// Whether the thread `tid`, whose CPU time was cpu_before, and the caller see each other's last stores:
// because of the barrier, or because it sleeps and has not run since.
bool SeeEachOther(int tid, int64_t cpu_before) {
  if (has_barrier.load(std::memory_order_relaxed)) {
    if (ThreadsBarrier()) return true;
    has_barrier.store(false, std::memory_order_relaxed);  // forbidden since StayInit
  }
  return ThreadIsAsleep(tid, false) && ThreadCpuNs(tid) == cpu_before;
}

// Whether mp's thread, which has used its CPU for `cpu` nanoseconds, has run on for long since our signal
// was sent: the program blocks that signal there, or the thread is long in one call of the kernel's.
bool IsDeaf(const M* mp, int64_t cpu) {
  return has_barrier.load(std::memory_order_relaxed) &&
         mp->signal_pending.load(std::memory_order_relaxed) != 0 &&
         cpu - mp->signal_cpu.load(std::memory_order_relaxed) > kDeafNs;
}

// Whether the thread `tid`, whose CPU time was cpu_before and is `cpu`, waits in the kernel.
bool HasSlept(int tid, int64_t cpu_before, int64_t cpu) {
  return cpu == cpu_before && ThreadIsAsleep(tid, has_barrier.load(std::memory_order_relaxed));
}

// Takes pp from mp if mp's thread runs the program's code.
bool TakeIfInProgram(M* mp, P* pp, int tid, int64_t cpu_before) {
  LockGuard l(&mp->thread_lock);
  ThreadPins* pins = mp->pins;
  if (pins == nullptr || pins->lost.load(std::memory_order_relaxed) != 0) return false;
  pins->lost.store(1, std::memory_order_relaxed);
  const bool exact = SeeEachOther(tid, cpu_before);
  // Not pinned: in the program's code, and it waits for thread_lock when it leaves that.
  G* gp = mp->curg.load(std::memory_order_relaxed);
  if (!exact || pins->busy() || mp->p.load(std::memory_order_relaxed) != pp || gp == nullptr ||
      mp->locks != 0 || mp->dying.load(std::memory_order_relaxed) != 0 ||
      ReadGStatus(gp) != kGRunning) {
    pins->lost.store(0, std::memory_order_relaxed);
    return false;
  }
  Lose(mp, gp, pins, mp->mcache);
  return true;
}

}  // namespace

void StayInit() {
  {
    const int64_t threads = ThreadLimit();
    LockGuard l(&sched.lock);
    system_threads = threads;
  }
  regain_p_hook.Set(&RegainForCall);
  scan_wait_hook.Set(&LetOneGoOn);
  has_barrier.store(ThreadsBarrierInit(), std::memory_order_relaxed);
  can_take.store(true, std::memory_order_release);  // pairs with: TakePFromSleeper
}

bool RunsProgram(const G* gp) {
  if (gp == nullptr || gp->goid == 0 || gp->foreign || gp->m == nullptr) return false;
  return gp->m->curg.load(std::memory_order_relaxed) == gp;
}

HasP JudgeP(G* gp) {
  M* mp = gp->m;
  LockGuard l(&mp->thread_lock);  // who would take the P, and then may not, is done
  if (PLost()) return HasP::kLost;
  return mp->p.load(std::memory_order_relaxed) != nullptr ? HasP::kYes : HasP::kNever;
}

Gave GivePAway(G* gp, const SigCtx* wait_at) {
  const Entering enters;
  if (wait_at != nullptr && !enters.May()) return Gave::kNobody;
  M* mp = gp->m;
  P* pp = nullptr;
  Taker taker;
  if (!LoseForStop(mp, gp, &pp)) {
    taker = FindTaker(/*waits=*/true);
    if (!taker.found()) return Gave::kNobody;
    pp = LoseHere(mp, gp);
  }
  if (pp == nullptr) {
    SendBack(taker);
    return Gave::kLost;
  }
  if (wait_at != nullptr) {
    // Before the P leaves, so that the M that has it next finds gp runnable.
    BeginToWait(mp, gp, *wait_at);
    QueueWaiter(gp, taker.found());
  }
  if (taker.found()) HandTo(taker, pp);
  return Gave::kYes;
}

void YieldP() {
  G* gp = Getg();
  if (Pins() != 0 || LocksCounted() != 0 || PLost() || !RunsProgram(gp)) return;
  Pinned pinned;
  P* pp = gp->m->p.load(std::memory_order_relaxed);
  if (pp == nullptr || gp->m->locks != 0 || SchedSeeded()) return;
  const bool stops = sched.gcwaiting.load(std::memory_order_relaxed);
  if (!stops && RunqEmpty(pp) && sched.runqsize.load(std::memory_order_relaxed) == 0) return;
  GivePAway(gp, nullptr);
}

bool StayWithoutP(G* gp, const SigCtx& ctx) {
  M* mp = gp->m;
  P* pp = nullptr;
  if (gp->signal_context == nullptr) {  // lost its P some time ago
    const Entering enters;
    if (!enters.May()) return false;
    LockGuard l(&sched.lock);
    pp = PidleGet();
    if (pp == nullptr && BirthsPending()) return false;
    BeginToWait(mp, gp, ctx);
    WillBeRunnableAnywhere(nullptr, gp);
    CasGStatus(gp, kGSyscall, kGRunnable);
    if (pp == nullptr) GlobRunqPut(gp);
  }
  if (pp == nullptr) {
    IncIdleLocked(1);
    MPark(mp);
    pp = mp->nextp;
    mp->nextp = nullptr;
    if (pp == nullptr) {
      GoOnWithoutP(mp, gp);
      return true;
    }
  }
  AcquireP(pp);
  Tie(mp, gp, false);
  gp->signal_context = nullptr;
  Unwire(mp, gp);
  Regained(mp);
  staying.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

Sleeper TakePFromSleeper(P* pp, int64_t cpu_before) {
  // With a seed only a stop of the world cuts goroutines off. Others may wait for what such a
  // goroutine holds.
  const bool some_cut_off = staying.load(std::memory_order_relaxed) != 0;
  // pairs with: StayInit
  if (!can_take.load(std::memory_order_acquire) || (SchedSeeded() && !some_cut_off))
    return Sleeper::kAwake;
  // ThreadSanitizer knows little of what makes this right. Under it a P is taken so for a stop of
  // the world alone, where nothing else helps.
  if (GORT_TSAN && !sched.gcwaiting.load(std::memory_order_relaxed)) return Sleeper::kAwake;
  M* mp = pp->m.load(std::memory_order_acquire);  // pairs with: AcquireP, Wire
  if (mp == nullptr) return Sleeper::kAwake;
  const int tid = mp->tid.load(std::memory_order_relaxed);
  if (tid == 0) return Sleeper::kAwake;
  const int64_t cpu = ThreadCpuNs(tid);
  const bool deaf = IsDeaf(mp, cpu);
  if (!deaf && !HasSlept(tid, cpu_before, cpu)) return Sleeper::kAwake;
  // A deaf thread gets another signal: the first may have gone to a sigwait or a signalfd.
  const Sleeper not_taken = deaf ? Sleeper::kAwake : Sleeper::kLater;
  if (GORT_UNLIKELY(sched.gcwaiting.load(std::memory_order_relaxed))) {
    LockGuard l(&sched.lock);
    if (sched.gcwaiting.load()) {
      return StopIfTaken(TakeIfInProgram(mp, pp, tid, cpu_before) ? pp : nullptr) ? Sleeper::kTaken
                                                                                  : not_taken;
    }
  }
  const Taker taker = FindTaker(/*waits=*/false);
  if (!taker.found()) return not_taken;
  // Until HandTo no M runs with the P, and the M that had it may come back and wait.
  IncIdleLocked(-1);
  const bool taken = TakeIfInProgram(mp, pp, tid, cpu_before);
  if (taken) {
    HandTo(taker, pp);
  } else {
    SendBack(taker);
  }
  IncIdleLocked(1);
  return taken ? Sleeper::kTaken : not_taken;
}

void HelpPinned(M* mp) {
  {
    LockGuard l(&mp->thread_lock);
    if (mp->pins == nullptr || mp->pins->pins.load(std::memory_order_relaxed) == 0) return;
  }
  LetOneGoOn();
}

bool WithNobodyWaiting(void (*f)()) {
  nobody_shall_wait.store(true);
  bool done = false;
  for (int i = 0; i < kGoOnLooks && !done; ++i) {
    done = entering.load() == 0 && staying.load() == 0;
    if (done) {
      f();
    } else {
      LetOneGoOn();
      ThreadSleep(kGoOnNs);
    }
  }
  nobody_shall_wait.store(false);
  return done;
}

int64_t CatchUp(int64_t now, int64_t slice_ns) {
  static constinit int64_t next = 0;  // sysmon's, as the next
  static constinit int64_t pause = 0;
  if (without_p.load(std::memory_order_relaxed) == 0) return INT64_MAX;
  if (now < next) return next;
  const bool computing = AskThoseWithoutP(slice_ns / 2);
  pause = computing ? slice_ns / 2 : std::clamp(2 * pause, slice_ns / 2, kLongestPauseNs);
  return next = now + pause;
}

}  // namespace gort::rt
