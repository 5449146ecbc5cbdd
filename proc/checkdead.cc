// proc/checkdead.cc: noticing that nothing can ever run again.
//
// Threads that the runtime did not create are the hard part, because any of them may send to a
// channel some day.
//
//   the thread                        how CheckDead knows of it     it keeps the report back
//   has called gort                   nforeign counts it            for as long as it lives
//   has not called gort yet           the process has more threads  while sysmon looks again:
//   (a stranger), and may do so or    than the runtime knows        kDeadChecks times, ever more
//   end without a word                                              seldom
//
// sysmon gives up in the end, because a process must be able to be idle.
#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/thread.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

// Main functions (of Run or rt0) that have not ended. While there is none, a program at rest waits
// for its own threads and not for goroutines.
constinit std::atomic<int32_t> mains{0};

// True when a timer will fire, and so can make a goroutine runnable.
bool TimersPending() {
  int32_t n = gomaxprocs.load(std::memory_order_relaxed);
  for (int32_t i = 0; i < n; ++i) {
    P* pp = allp[i].load(std::memory_order_acquire);  // pairs with: ProcResize
    if (pp->num_timers.load(std::memory_order_relaxed) > 0) return true;
  }
  return false;
}

constexpr int32_t kDeadChecks = 12;
constexpr int64_t kFirstDelayNs = 10'000'000;
constexpr int64_t kLongestDelayNs = 1'000'000'000;

#if GORT_TSAN
constexpr int kSanitizerThreads = 1;  // started with the program's first thread
#else
constexpr int kSanitizerThreads = 0;
#endif

// True when the process has, or may have, threads that the runtime knows nothing of. A thread that
// is about to end counts as well.
bool StrangersPresent() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  int64_t known = MCount() + sched.nattached.load() + kSanitizerThreads;
  if (sched.m0_exited) ++known;  // its thread stays
  if (ThreadCountAtEntry() > 1) known += ThreadCountAtEntry() - 1;
  const int threads = ThreadCount();
  return threads == 0 || threads > known;  // 0: not known, as without /proc
}

void ScheduleDeadChecks(int32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  sched.dead_checks.store(n, std::memory_order_relaxed);
  WakeSysmonIfWaiting();
}

}  // namespace

void RequestDeadCheck() {
  LockGuard l(&sched.lock);
  ScheduleDeadChecks(kDeadChecks);
}

int64_t DeadCheckDelay() {
  int32_t left = sched.dead_checks.load(std::memory_order_relaxed);
  if (left == 0) return -1;
  int64_t delay = kFirstDelayNs << (kDeadChecks - left);
  return delay < kLongestDelayNs ? delay : kLongestDelayNs;
}

void RecheckDead() {
  LockGuard l(&sched.lock);
  int32_t left = sched.dead_checks.load(std::memory_order_relaxed);
  if (left == 0) return;
  CheckDead();
  // Counted down after the look: CheckDead asks for a new series when none is left, and sysmon would
  // never give up.
  sched.dead_checks.store(left - 1, std::memory_order_relaxed);
}

void MainBegin() { mains.fetch_add(1); }
void MainEnd() { mains.fetch_sub(1); }

void CheckDead() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  sched.lock.AssertHeld();
  if (mains.load() == 0 || sched.nforeign.load() > 0) return;
  if (sched.user_disabled) return;  // goroutines kept aside run again some day
  int32_t run = MCount() - sched.nmidle - sched.nmidlelocked - sched.nmsys;
  if (run > 0) return;
  if (run < 0) {
    Printer() << "runtime: checkdead: nmidle=" << sched.nmidle
              << " nmidlelocked=" << sched.nmidlelocked << " mcount=" << MCount()
              << " nmsys=" << sched.nmsys << '\n';
    sched.lock.Unlock();
    Throw("checkdead: inconsistent counts");
  }
  int64_t waiting = 0;
  for (G* gp = allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink) {
    uint32_t status = ReadGStatus(gp) & ~uint32_t{kGScan};
    if (gp->system) continue;
    if (status == kGWaiting || status == kGPreempted) {
      ++waiting;
    } else if (status == kGRunnable || status == kGRunning || status == kGSyscall) {
      // A thread without a P has just queued gp and is about to wake an M, for which it needs
      // sched.lock. Such a thread has either queued gp under the lock in one step with making it
      // runnable (NewProcCommit), or is in nforeign since before (Ready attaches it).
      if (sched.runqsize.load(std::memory_order_relaxed) > 0 || sched.nforeign.load() > 0) return;
      Printer() << "runtime: checkdead: find g " << gp->goid << " in status " << GStatusName(status)
                << '\n';
      sched.lock.Unlock();
      Throw("checkdead: runnable g");
    }
  }
  // No goroutine at all: a Run is about to begin or to end.
  if (waiting == 0 && !sched.main_goexited.load()) return;
  if (TimersPending()) return;
  if (StrangersPresent()) {
    if (sched.dead_checks.load(std::memory_order_relaxed) == 0) ScheduleDeadChecks(kDeadChecks);
    return;
  }
  // A stranger may have become a known thread since the first look at nforeign, and may be readying
  // a goroutine that was seen waiting above. It needs sched.lock to queue the goroutine, so nforeign
  // still counts the thread.
  if (sched.nforeign.load() > 0) return;
  sched.lock.Unlock();
  Fatal(waiting != 0 ? "all goroutines are asleep - deadlock!"
                     : "no goroutines (main called runtime.Goexit) - deadlock!");
}

}  // namespace gort::rt
