#include "gort/sysmon/retake.h"

#include <algorithm>

#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/monitor.h"
#include "gort/proc/runq.h"
#include "gort/proc/sched_seed.h"

namespace gort::rt {
namespace {

// How soon the next request follows one that is not answered; doubled up to an eighth of a slice.
constexpr int64_t kFirstRetryNs = 50'000;
constexpr int64_t kSyscallGraceNs = 10'000'000;
// The longest sleep while somebody waits: a call that blocks right after a look keeps them waiting
// until the next one.
constexpr int64_t kWaitersNs = 2'000'000;

// A slice ends early when a timer of this P is kept waiting: nobody else runs it while all Ps are
// busy. Half a slice is left to the goroutine all the same.
int64_t SliceEnd(const P* pp) {
  int64_t slice = TimeSliceNs();
  int64_t end = pp->sysmon_schedwhen + slice;
  int64_t when = pp->timer0_when.load(std::memory_order_relaxed);
  if (when != 0) end = std::min(end, std::max(when, pp->sysmon_schedwhen) + slice / 2);
  return end;
}

// Somebody would run if pp's goroutine did not.
bool SomebodyWaits(const P* pp) {
  return pp->timer0_when.load(std::memory_order_relaxed) != 0 ||
         sched.runqsize.load(std::memory_order_relaxed) != 0 || !RunqEmpty(pp);
}

// Returns when to look again.
int64_t CheckSlice(P* pp, int64_t now) {
  uint32_t tick = pp->schedtick.load(std::memory_order_relaxed);
  if (pp->sysmon_schedtick != tick) {
    pp->sysmon_schedtick = tick;
    pp->sysmon_schedwhen = now;
    return SliceEnd(pp);
  }
  int64_t over = now - SliceEnd(pp);
  if (over < 0) return now - over;
  PreemptOne(pp);
  // Soon after the answer a new slice begins, and its beginning should not be seen late. If there
  // is none, the goroutine was where it must not be interrupted: twice as long each time.
  return now + std::min(std::max(over, kFirstRetryNs), std::max(TimeSliceNs() / 8, kFirstRetryNs));
}

// True when the P was taken from its M. *look_again becomes earlier if need be.
bool TakeFromSyscall(P* pp, int64_t now, int64_t* look_again) {
  uint32_t tick = pp->syscalltick.load(std::memory_order_relaxed);
  if (pp->sysmon_syscalltick != tick) {  // a call that began since the last look
    // One that follows another within so short a time is probably short, too.
    bool after_another = now - pp->sysmon_syscallwhen < 4 * kFirstRetryNs;
    pp->sysmon_syscalltick = tick;
    pp->sysmon_syscallwhen = now;
    if (SomebodyWaits(pp)) {
      *look_again = std::min(*look_again, now + (after_another ? kWaitersNs : kFirstRetryNs));
    }
    return false;
  }
  // Nothing would be gained: no work here, others are free to run, and the call is still young.
  if (RunqEmpty(pp) && sched.nmspinning.load() + sched.npidle.load() > 0 &&
      pp->sysmon_syscallwhen + kSyscallGraceNs > now) {
    return false;
  }
  // Between taking the P and starting an M for it no M runs: not a deadlock.
  IncIdleLocked(-1);
  bool taken = CasPStatus(pp, kPSyscall, kPIdle);
  if (taken) {
    pp->syscalltick.fetch_add(1, std::memory_order_relaxed);
    HandoffP(pp);
  }
  IncIdleLocked(1);
  return taken;
}

}  // namespace

Retaken Retake(int64_t now) {
  Retaken r;
  int32_t procs = gomaxprocs.load(std::memory_order_acquire);  // pairs with: ProcResize
  for (int32_t i = 0; i < procs; ++i) {
    P* pp = allp[i].load(std::memory_order_acquire);  // pairs with: ProcResize
    uint32_t status = pp->status.load(std::memory_order_relaxed);
    if (status == kPRunning) {
      if (!SchedSeeded()) r.look_again = std::min(r.look_again, CheckSlice(pp, now));
      if (SomebodyWaits(pp)) r.look_again = std::min(r.look_again, now + kWaitersNs);
    } else if (status == kPSyscall && TakeFromSyscall(pp, now, &r.look_again)) {
      ++r.handed_off;
    }
  }
  return r;
}

}  // namespace gort::rt
