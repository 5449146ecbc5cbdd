// proc/checkdead.cc: noticing that nothing can ever run again.
#include "base/throw.h"
#include "proc/proc_internal.h"

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

}  // namespace

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
      if (sched.runqsize.load(std::memory_order_relaxed) > 0) return;
      Printer() << "runtime: checkdead: find g " << gp->goid << " in status " << GStatusName(status)
                << '\n';
      sched.lock.Unlock();
      Throw("checkdead: runnable g");
    }
  }
  if (waiting == 0) {
    if (!sched.main_goexited.load()) return;  // goroutines of a Run that is about to begin or end
    sched.lock.Unlock();
    Fatal("no goroutines (main called runtime.Goexit) - deadlock!");
  }
  if (TimersPending()) return;
  sched.lock.Unlock();
  Fatal("all goroutines are asleep - deadlock!");
}

}  // namespace gort::rt
