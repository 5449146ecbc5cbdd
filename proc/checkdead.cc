// proc/checkdead.cc: noticing that nothing can ever run again.
//
// Threads that the runtime did not create are the hard part, because any of them may send to a
// channel some day. One that has called gort before is counted (nforeign) and keeps the report back
// for as long as it lives. One that has not called yet, such as a std::thread that will send its
// result at its end, can only be told from the number of threads in the process. It may also end
// without ever calling, and tells nobody then; so sysmon looks again, ever more seldom, and gives
// up in the end: a process must be able to be idle.
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

// Main functions (of Run or rt0) that have not ended. Without one a program at rest waits for its
// own threads, not for goroutines.
constinit std::atomic<int32_t> mains{0};

// Timers that will fire are somebody who can still run.
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

// Threads that the runtime knows nothing of. One that is about to end counts too.
bool StrangersPresent() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  int64_t known = MCount() + sched.nattached.load() + kSanitizerThreads;
  if (sched.m0_exited) ++known;  // its thread stays
  if (ThreadCountAtEntry() > 1) known += ThreadCountAtEntry() - 1;
  return ThreadCount() > known;
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
  // It would begin anew at 0: something may have happened in between, and that brings its own
  // check.
  sched.dead_checks.store(left - 1, std::memory_order_relaxed);
}

void MainBegin() { mains.fetch_add(1); }
void MainEnd() { mains.fetch_sub(1); }

void CheckDead() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (mains.load() == 0 || sched.nforeign.load() > 0) return;
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
      // Queued by a thread without a P just now, which will wake an M: it needs our lock for that.
      // Such a thread makes a goroutine runnable and queues it under the lock (NewProcCommit), or
      // is counted before it does (Ready attaches it).
      if (sched.runqsize.load(std::memory_order_relaxed) > 0 || sched.nforeign.load() > 0) return;
      Printer() << "runtime: checkdead: find g " << gp->goid << " in status " << GStatusName(status)
                << '\n';
      sched.lock.Unlock();
      Throw("checkdead: runnable g");
    }
  }
  // Goroutines of a Run that is about to begin or end.
  if (waiting == 0 && !sched.main_goexited.load()) return;
  if (TimersPending()) return;
  if (StrangersPresent()) {
    if (sched.dead_checks.load(std::memory_order_relaxed) == 0) ScheduleDeadChecks(kDeadChecks);
    return;
  }
  // One that was a stranger when we began may just have become known, with a goroutine in its hand
  // that was seen waiting above. It needs our lock to queue it, so it is still counted.
  if (sched.nforeign.load() > 0) return;
  sched.lock.Unlock();
  Fatal(waiting != 0 ? "all goroutines are asleep - deadlock!"
                     : "no goroutines (main called runtime.Goexit) - deadlock!");
}

}  // namespace gort::rt
