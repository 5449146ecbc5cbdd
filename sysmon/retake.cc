#include "gort/sysmon/retake.h"

#include <algorithm>

#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/trace_hook.h"
#include "gort/platforms/thread.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/monitor.h"
#include "gort/proc/runq.h"
#include "gort/proc/sched_seed.h"
#include "gort/proc/stay.h"

namespace gort::rt {
namespace {

// The first repetition of a request that was not answered comes after this long; the distance then
// doubles, up to an eighth of a slice.
constexpr int64_t kFirstRetryNs = 50'000;
constexpr int64_t kSyscallGraceNs = 10'000'000;
// sysmon's longest sleep while a goroutine or a timer waits and somebody may be in a system call. A
// call that begins right after a look keeps them waiting until the next look.
constexpr int64_t kWaitersNs = 2'000'000;
// A P is calm when none of its threads was seen asleep for so long. Each look costs a program that
// computes some 30 us on a virtual machine, so a calm P is looked at twice in a slice.
constexpr int64_t kCalmAfterNs = 100'000'000;
constexpr int64_t kCalmRetryNs = 500'000;

bool Calm(const P* pp, int64_t now) { return now - pp->sysmon_slept_when > kCalmAfterNs; }

// When the time slice of pp's goroutine ends. A due timer of pp shortens the slice, because no
// other M runs the timer while all Ps are busy; the goroutine keeps half a slice all the same. A
// goroutine also has half a slice while another stands in runnext: it has readied that one itself,
// or runs before it because of kTurnPeriod.
int64_t SliceEnd(const P* pp) {
  int64_t slice = TimeSliceNs();
  int64_t end = pp->sysmon_schedwhen + slice;
  int64_t when = pp->timer0_when.load(std::memory_order_relaxed);
  if (when != 0) end = std::min(end, std::max(when, pp->sysmon_schedwhen) + slice / 2);
  const bool next = pp->runq.runnext.load(std::memory_order_relaxed) != nullptr;  // a guess will do
  if (next) end = std::min(end, pp->sysmon_schedwhen + slice / 2);
  return end;
}

// True when a timer of pp, or a goroutine in its queue or the global one, waits for a P.
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
  if (Calm(pp, now)) over = std::max(over, kCalmRetryNs);
  // A goroutine that answers ends its slice, and the next slice should be seen from its beginning:
  // look soon. A goroutine that does not answer was at a point where it must not be interrupted:
  // look again after twice as long each time.
  return now + std::min(std::max(over, kFirstRetryNs), std::max(TimeSliceNs() / 8, kFirstRetryNs));
}

// What an M did since the last look.
struct Use {
  bool busy;   // it used its CPU half of the time at least
  bool still;  // it used none
};

// Notes mp's use of its CPU for the next look. The answer is {false, false} if the last look was at
// another M or is long ago.
Use UseSince(P* pp, const M* mp, int64_t cpu, int64_t now) {
  const int64_t used = cpu - pp->sysmon_cpu;
  const int64_t passed = now - pp->sysmon_cpu_when;
  const bool known = mp == pp->sysmon_m && passed < 2 * kWaitersNs;
  pp->sysmon_m = mp;
  pp->sysmon_cpu = cpu;
  pp->sysmon_cpu_when = now;
  return {known && used >= passed / 2, known && used == 0};
}

// How long sysmon may leave pp alone. A thread that was seen asleep a moment ago will probably
// sleep again soon, so pp is looked at sooner.
int64_t Pause(const P* pp, int64_t now) {
  if (Calm(pp, now)) return TimeSliceNs();
  return std::clamp(now - pp->sysmon_slept_when, kFirstRetryNs, kWaitersNs);
}

// Hands pp off if its M's thread has not used its CPU since the last look, because it waits in a call
// that nobody announced; true when it did. A thread that waits for a CPU is awake.
bool TakeFromBlocked(P* pp, int64_t now, int64_t* look_again) {
  M* mp = pp->m.load(std::memory_order_acquire);  // pairs with: AcquireP
  const int tid = mp != nullptr ? mp->tid.load(std::memory_order_relaxed) : 0;
  if (tid == 0) return false;
  const int64_t cpu = ThreadCpuNs(tid);
  const Use use = UseSince(pp, mp, cpu, now);
  if (!use.busy && ThreadIsAsleep(tid, true)) {
    pp->sysmon_slept_when = now;
    if (use.still) {
      if (TakePFromSleeper(pp, cpu) == Sleeper::kTaken) {
        sched.taken_asleep.fetch_add(1, std::memory_order_relaxed);
        return true;
      }
      // The thread is not pinned by a lock of gort's: those are held for less than a slice.
      if (now - pp->sysmon_schedwhen > TimeSliceNs()) HelpPinned(mp);
    }
  }
  *look_again = std::min(*look_again, now + Pause(pp, now));
  return false;
}

// Hands pp off if its M's system call has lasted long enough; true when it did. Moves *look_again
// forward when the next look must come earlier.
bool TakeFromSyscall(P* pp, int64_t now, int64_t* look_again) {
  uint32_t tick = pp->syscalltick.load(std::memory_order_relaxed);
  if (pp->sysmon_syscalltick != tick) {  // the call began after the last look
    // A call that follows another one so soon is probably short, as that one was.
    bool after_another = now - pp->sysmon_syscallwhen < 4 * kFirstRetryNs;
    pp->sysmon_syscalltick = tick;
    pp->sysmon_syscallwhen = now;
    if (SomebodyWaits(pp)) {
      *look_again = std::min(*look_again, now + (after_another ? kWaitersNs : kFirstRetryNs));
    }
    return false;
  }
  // Nobody would gain by the P: its queue is empty, a spinning M or an idle P is there for what
  // comes, and the call is young.
  if (RunqEmpty(pp) && sched.nmspinning.load() + sched.npidle.load() > 0 &&
      pp->sysmon_syscallwhen + kSyscallGraceNs > now) {
    return false;
  }
  // Between the swap and HandoffP no M runs, although the P is about to: sysmon counts as a running
  // M meanwhile, so that CheckDead sees no deadlock.
  IncIdleLocked(-1);
  const uint64_t before = TraceTicks();
  bool taken = CasPStatus(pp, kPSyscall, kPIdle);
  if (taken) {
    pp->syscalltick.fetch_add(1, std::memory_order_relaxed);
    sched.taken_syscall.fetch_add(1, std::memory_order_relaxed);
    TraceAt(pp, TraceEv::kSysBlock, nullptr, before);
    HandoffP(pp);
  }
  IncIdleLocked(1);
  return taken;
}

// Lets cut-off goroutines go on, one after the other, while pp's M sleeps with the world stopped:
// that M waits for what one of them holds, and none of them gets a P before the world runs again. A
// P in kPGcStop that has an M is that of the goroutine that stops the world.
void HelpStopper(P* pp, int64_t now, int64_t* look_again) {
  M* mp = pp->m.load(std::memory_order_acquire);  // pairs with: AcquireP
  const int tid = mp != nullptr ? mp->tid.load(std::memory_order_relaxed) : 0;
  if (tid == 0) return;
  const Use use = UseSince(pp, mp, ThreadCpuNs(tid), now);
  if (!use.still || !ThreadIsAsleep(tid, true)) {
    pp->sysmon_schedwhen = now;
  } else if (now - pp->sysmon_schedwhen > TimeSliceNs()) {
    HelpPinned(mp);
  }
  *look_again = std::min(*look_again, now + kWaitersNs);
}

}  // namespace

Retaken Retake(int64_t now) {
  Retaken r;
  int32_t procs = gomaxprocs.load(std::memory_order_acquire);  // pairs with: ProcResize
  for (int32_t i = 0; i < procs; ++i) {
    P* pp = allp[i].load(std::memory_order_acquire);  // pairs with: ProcResize
    uint32_t status = pp->status.load(std::memory_order_relaxed);
    if (status == kPRunning) {
      if (SomebodyWaits(pp) && TakeFromBlocked(pp, now, &r.look_again)) {
        ++r.handed_off;
        continue;
      }
      if (!SchedSeeded()) r.look_again = std::min(r.look_again, CheckSlice(pp, now));
    } else if (status == kPSyscall && TakeFromSyscall(pp, now, &r.look_again)) {
      ++r.handed_off;
    } else if (status == kPGcStop) {
      HelpStopper(pp, now, &r.look_again);
    }
  }
  return r;
}

}  // namespace gort::rt
