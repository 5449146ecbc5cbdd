#include "sysmon/retake.h"

#include "proc/proc_internal.h"
#include "proc/runq.h"
#include "proc/sched_seed.h"

namespace gort::rt {
namespace {

constexpr int64_t kTimeSliceNs = 10'000'000;
constexpr int64_t kSyscallGraceNs = 10'000'000;

void CheckSlice(P* pp, int64_t now) {
  uint32_t tick = pp->schedtick.load(std::memory_order_relaxed);
  if (pp->sysmon_schedtick != tick) {
    pp->sysmon_schedtick = tick;
    pp->sysmon_schedwhen = now;
  } else if (pp->sysmon_schedwhen + kTimeSliceNs <= now) {
    PreemptOne(pp);
  }
}

// True when the P was taken from its M.
bool TakeFromSyscall(P* pp, int64_t now) {
  uint32_t tick = pp->syscalltick.load(std::memory_order_relaxed);
  if (pp->sysmon_syscalltick != tick) {  // a call that began since the last look
    pp->sysmon_syscalltick = tick;
    pp->sysmon_syscallwhen = now;
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

int Retake(int64_t now) {
  int n = 0;
  int32_t procs = gomaxprocs.load(std::memory_order_relaxed);
  for (int32_t i = 0; i < procs; ++i) {
    P* pp = allp[i].load(std::memory_order_acquire);  // pairs with: ProcResize
    uint32_t status = pp->status.load(std::memory_order_relaxed);
    if (status == kPRunning) {
      if (!SchedSeeded()) CheckSlice(pp, now);
    } else if (status == kPSyscall && TakeFromSyscall(pp, now)) {
      ++n;
    }
  }
  return n;
}

}  // namespace gort::rt
