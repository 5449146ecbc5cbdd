#include "gort/sysmon/sysmon.h"

#include <algorithm>

#include "gort/base/godebug.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/thread.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/stay.h"
#include "gort/stack/internal/stack_alloc.h"
#include "gort/sysmon/follow_cpus.h"
#include "gort/sysmon/retake.h"

namespace gort::rt {
namespace {

constexpr int64_t kMinSleepNs = 20'000;
constexpr int64_t kMaxSleepNs = 10'000'000;
constexpr int kIdleRounds = 50;  // rounds without success before the sleep begins to double
constexpr int64_t kPollNs = 10'000'000;
constexpr int64_t kBusySleepNs = 1'000'000;  // while there is memory to return: every other ms
constexpr int64_t kScavengePeriodNs = 1'000'000'000;

// False while the world is stopped: the goroutine that stops it, or has stopped it, may need sysmon
// (Retake).
bool AllIdle() {
  return sched.npidle.load() == gomaxprocs.load(std::memory_order_relaxed) &&
         !TemplateThreadWanted();  // changed under sched.lock, as sysmonwait is
}

// The shorter of two spans; a negative one means for ever.
int64_t SoonerOf(int64_t a, int64_t b) { return a < 0 ? b : b < 0 || a < b ? a : b; }

// Prints the SCHED line of GODEBUG=schedtrace at each period.
class Tracer {
 public:
  // Nanoseconds from now to the next line; negative: never.
  int64_t Due(int64_t now) const {
    return period_ns_ == 0 ? -1 : std::max<int64_t>(next_ - now, 0);
  }
  void Tick(int64_t now) {
    if (period_ns_ == 0 || now < next_) return;
    next_ = now + period_ns_;
    SchedTrace(godebug.scheddetail != 0);
  }

 private:
  const int64_t period_ns_ = godebug.schedtrace * 1'000'000;
  int64_t next_ = 0;  // the first line comes at once
};

bool MemoryToReturn() { return StackScavengeDebt() > 0 || ScavengeDebt() > 0; }

// Returns, once a period, the memory of stacks that have been free for a period, then free pages of
// the heap. It does so in portions, because goroutines are pre-empted by this thread too.
class MemoryReturner {
 public:
  // True: a sweep is under way, and the next round makes the next portion.
  bool busy() const { return step_ != kRest; }
  void Tick(int64_t now) {
    if (step_ == kRest) {
      if (now - began_ < kScavengePeriodNs) return;
      began_ = now;
      step_ = kStacks;
    }
    const int64_t deadline = now + kPortionNs;
    if (step_ == kStacks && !StackSweep(kScavengePeriodNs, deadline, &stacks_)) {
      step_ = kPages;
      pages_due_ = ScavengeDebt();
    }
    if (step_ == kPages && !ReturnPages(deadline)) End();
  }

 private:
  enum Step { kRest, kStacks, kPages };
  static constexpr int64_t kPortionNs = 1'000'000;
  static constexpr int64_t kPieceBytes = int64_t{1} << 20;  // some 100 us

  // False: done.
  bool ReturnPages(int64_t deadline) {
    while (pages_due_ > 0) {
      if (Nanotime() >= deadline) return true;
      const int64_t n = ScavengeOne(std::min(pages_due_, kPieceBytes));
      pages_ += n;
      pages_due_ = n > 0 ? pages_due_ - n : 0;
    }
    return false;
  }

  void End() {
    if (godebug.scavtrace != 0) ScavTrace(pages_, stacks_);
    step_ = kRest;
    pages_ = 0;
    stacks_ = 0;
  }

  Step step_ = kRest;
  int64_t began_ = Nanotime();
  int64_t pages_due_ = 0;
  int64_t pages_ = 0;   // bytes returned by this sweep
  int64_t stacks_ = 0;  // bytes of address space, likewise
};

// Sleeps until a P leaves the idle list, for at most max_ns (negative: no limit) and not beyond the
// next look for a deadlock, which it then makes. Returns how long it slept.
int64_t DeepSleep(int64_t max_ns) {
  const int64_t began = Nanotime();
  {
    LockGuard l(&sched.lock);
    if (!AllIdle()) return 0;
    // Under the lock: RequestDeadCheck wakes sysmon only when sysmonwait says that it sleeps.
    max_ns = SoonerOf(max_ns, DeadCheckDelay());
    sched.sysmonwait.store(true, std::memory_order_relaxed);
  }
  bool woken = sched.sysmonnote.TSleep(max_ns);
  {
    LockGuard l(&sched.lock);
    sched.sysmonwait.store(false, std::memory_order_relaxed);
    sched.sysmonnote.Clear();  // wakers hold the lock: from here on sysmonwait keeps them off
  }
  if (!woken) RecheckDead();
  return Nanotime() - began;
}

void PollNetwork(int64_t now) {
  int64_t last = sched.lastpoll.load();
  if (!sched_hooks.netpoll_inited || sched.netpoll_waiters.load() == 0 || last == 0 ||
      last + kPollNs >= now) {
    return;
  }
  sched.lastpoll.compare_exchange_strong(last, now);
  // Goroutines that the poller has given up and that are in no queue yet are known to sysmon alone.
  // sysmon counts as a running M meanwhile, so that an M that goes to sleep sees no deadlock.
  IncIdleLocked(-1);
  GList list = sched_hooks.netpoll(0);
  InjectGList(&list, WokenBy::kPoller);
  IncIdleLocked(1);
}

// Each store takes a cache line from every CPU that parks goroutines.
void NoteTime(int64_t now) {
  if (now - sched.coarse_now.load(std::memory_order_relaxed) < kCoarseNs) return;
  sched.coarse_now.store(now, std::memory_order_relaxed);
}

}  // namespace

void Sysmon() {
  ThreadSetName("gort-sysmon");
  SetBackgroundScavenger(true);
  StayInit();
  {
    LockGuard l(&sched.lock);
    ++sched.nmsys;
    CheckDead();
  }
  int64_t delay = kMinSleepNs;
  int64_t look_again = INT64_MAX;
  int64_t catch_up = INT64_MAX;
  MemoryReturner memory;
  Tracer tracer;
  int idle = 0;  // rounds since the last success
  while (true) {
    if (idle == 0) delay = kMinSleepNs;
    if (idle > kIdleRounds) delay = std::min(delay * 2, kMaxSleepNs);
    // The sleep ends with the earliest time slice, but is never shorter than the shortest.
    const int64_t longest = memory.busy() ? kBusySleepNs : delay;
    ThreadSleep(std::max(std::min(longest, look_again - Nanotime()), kMinSleepNs));
    if (AllIdle() && !memory.busy()) {
      const int64_t due = catch_up == INT64_MAX ? -1 : std::max<int64_t>(catch_up - Nanotime(), 0);
      const int64_t memory_due = MemoryToReturn() ? kScavengePeriodNs : -1;
      const int64_t slept = DeepSleep(SoonerOf(SoonerOf(memory_due, tracer.Due(Nanotime())), due));
      // A program that is idle for moments only keeps the pace that its calls asked for: without that
      // each moment would be followed by fifty rounds of the fastest.
      if (slept >= kMaxSleepNs) {
        idle = 0;
        delay = kMinSleepNs;
      }
    }
    int64_t now = Nanotime();
    NoteTime(now);
    StartTemplateThreadIfAsked();
    PollNetwork(now);
    Retaken retaken = Retake(now);
    catch_up = CatchUp(now, TimeSliceNs());
    look_again = std::min(retaken.look_again, catch_up);
    idle = retaken.handed_off > 0 ? 0 : idle + 1;
    memory.Tick(now);
    tracer.Tick(now);
    FollowCpus(now);
  }
}

}  // namespace gort::rt
