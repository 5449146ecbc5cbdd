// sysmon/retake_test.cc: when a P is taken back, state by state, and the race with its owner.
#include "gort/sysmon/retake.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>

#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/status.h"
#include "gort/lock/mutex.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"
#include "gort/proc/sched_seed.h"
#include "gort/proc/testing/world.h"

namespace gort::rt::testing {
namespace {

constexpr int64_t kUs = 1'000;
constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;
constexpr int64_t kSlice = 10 * kMs;
constexpr int64_t kNever = INT64_MAX;

int asked = 0;  // for pre-emption

// A World with its sysmon.
struct Watched : World {
  M* sysmon = NewM();

  explicit Watched(int32_t procs) : World(procs) {
    asked = 0;
    sched_hooks.preempt_m = [](M*) { ++asked; };
  }
  Retaken Look(int64_t at) {
    Retaken r;
    As(sysmon, [&] { r = Retake(at); });
    return r;
  }
};

// An M other than m0 that holds P 0 and runs `body` as the goroutine "v", up to its first Suspend.
struct Caller {
  M* mp;
  G* v;

  Caller(World* w, std::function<void()> body) {
    P* pp = w->PAt(0);
    m0.p.store(nullptr);
    v = w->NewG("v", std::move(body));
    G* gp = v;
    mp = w->NewThread([w, pp, gp](M* self) {
      pp->m.store(self);
      self->p.store(pp);
      w->Resume(gp);
    });
    w->Run(mp);
  }
};

void PutLocal(World* w, P* pp, bool next = false) {
  RunqPut(pp, w->NewG("work", [] {}), next);
}

// ---- a P that runs ----

struct SliceRow {
  const char* name;
  bool ticked;       // the P has begun another goroutine since the last look
  int64_t since;     // the last look that saw a new one, ago
  int64_t timer_in;  // the P's earliest timer, after that look; negative: none
  bool work;         // somebody waits in its queue
  bool seeded;       // GODEBUG=schedseed
  bool asked;
  int64_t look_again;        // from now; kNever: never
  int64_t slept = 50 * kMs;  // one of the P's threads was seen asleep, ago
  bool next = false;         // the one that waits is runnext
};

TEST(Retake, EndsTimeSlices) {
  const SliceRow rows[] = {
      {"a new goroutine", true, 5 * kMs, -1, false, false, false, kSlice},
      {"within its slice", false, 4 * kMs, -1, false, false, false, 6 * kMs},
      {"a moment before its end", false, kSlice - 1, -1, false, false, false, 1},
      {"at its end", false, kSlice, -1, false, false, true, 50 * kUs},
      {"a little over", false, kSlice + 300 * kUs, -1, false, false, true, 300 * kUs},
      {"far over", false, 2 * kSlice, -1, false, false, true, kSlice / 8},
      {"a timer that was due before", false, 4 * kMs, 0, false, false, false, kMs},
      {"a timer that was due before, half a slice later", false, 5 * kMs, 0, false, false, true,
       50 * kUs},
      {"a timer that became due", false, 7 * kMs, 3 * kMs, false, false, false, kMs},
      {"a timer that became due, half a slice ago", false, 8 * kMs, 3 * kMs, false, false, true,
       50 * kUs},
      {"a timer far away", false, 7 * kMs, 60 * kMs, false, false, false, 2 * kMs},
      {"somebody waits", false, 4 * kMs, -1, true, false, false, 2 * kMs},
      {"somebody waits, one slept a moment ago", false, 4 * kMs, -1, true, false, false, 300 * kUs,
       300 * kUs},
      {"somebody waits, one slept just now", false, 4 * kMs, -1, true, false, false, 50 * kUs, 0},
      {"somebody waits, nobody slept lately", false, 4 * kMs, -1, true, false, false, 6 * kMs,
       kSecond},
      {"a new goroutine, somebody waits, nobody slept lately", true, 5 * kMs, -1, true, false,
       false, kSlice, kSecond},
      {"before runnext", false, 4 * kMs, -1, true, false, false, kMs, kSecond, true},
      {"before runnext, half a slice long", false, 5 * kMs, -1, true, false, true, 500 * kUs,
       kSecond, true},
      {"at its end, nobody slept lately", false, kSlice, -1, false, false, true, 500 * kUs,
       kSecond},
      {"somebody waits, the end is nearer", false, 9 * kMs, -1, true, false, false, kMs},
      {"a schedule from a seed has no slices", false, 2 * kSlice, -1, false, true, false, kNever},
      {"a schedule from a seed, somebody waits", false, 2 * kSlice, -1, true, true, false, 2 * kMs},
  };
  for (const SliceRow& row : rows) {
    SCOPED_TRACE(row.name);
    Watched w(1);
    P* pp = w.PAt(0);
    const int64_t now = World::kStart;
    pp->sysmon_schedwhen = now - row.since;
    pp->sysmon_slept_when = now - row.slept;
    pp->sysmon_m = &m0;  // as of a look just now: m0 is awake
    pp->sysmon_cpu_when = now;
    pp->sysmon_schedtick = 7;
    pp->schedtick.store(row.ticked ? 8 : 7);
    if (row.timer_in >= 0) pp->timer0_when.store(pp->sysmon_schedwhen + row.timer_in);
    if (row.work) PutLocal(&w, pp, row.next);
    m0.curg.store(w.Dummy("g", kGRunning));
    if (row.seeded) SetSchedSeed(1);
    Retaken r = w.Look(now);
    SetSchedSeed(0);
    EXPECT_EQ(asked, row.asked ? 1 : 0);
    EXPECT_EQ(pp->preempt.load(), row.asked);
    EXPECT_EQ(r.look_again, row.look_again == kNever ? kNever : now + row.look_again);
    EXPECT_EQ(r.handed_off, 0);
    EXPECT_EQ(pp->status.load(), uint32_t{kPRunning});
    if (row.ticked) {
      EXPECT_EQ(pp->sysmon_schedtick, 8U);
      EXPECT_EQ(pp->sysmon_schedwhen, now);
    }
  }
}

// ---- a P whose M is in a system call ----

struct CallRow {
  const char* name;
  bool ticked;    // the call began since the last look
  int64_t since;  // the last look that saw a new call, ago
  bool work;      // in the P's queue
  bool global_work;
  int spinning;  // Ms that look for work
  bool taken;
  int64_t look_again;
};

TEST(Retake, TakesPsOfLongCalls) {
  const CallRow rows[] = {
      {"a new call", true, kMs, false, false, 0, false, kNever},
      {"a new call, somebody waits", true, kMs, true, false, 0, false, 50 * kUs},
      {"a new call, somebody waits in the global queue", true, kMs, false, true, 0, false,
       50 * kUs},
      {"a new call, no longer soon after another, somebody waits", true, 200 * kUs, true, false, 0,
       false, 50 * kUs},
      {"a new call soon after another, somebody waits", true, 199 * kUs, true, false, 0, false,
       2 * kMs},
      {"the same call, nobody is free", false, 20 * kUs, false, false, 0, true, kNever},
      {"the same call, others are free", false, 20 * kUs, false, false, 1, false, kNever},
      {"the same call, others are free, a moment before the grace ends", false, kSlice - 1, false,
       false, 1, false, kNever},
      {"the same call, others are free, the grace is over", false, kSlice, false, false, 1, true,
       kNever},
      {"the same call, work in its queue", false, 20 * kUs, true, false, 1, true, kNever},
      {"the same call, work for anybody, others are free", false, 20 * kUs, false, true, 1, false,
       kNever},
  };
  for (const CallRow& row : rows) {
    SCOPED_TRACE(row.name);
    Watched w(1);
    M* other = w.NewM(/*sleeping=*/true);
    P* pp = w.PAt(0);
    const int64_t now = World::kStart;
    if (row.work) PutLocal(&w, pp);
    G* waiting = w.Dummy("work", kGWaiting);
    Caller caller(&w, [&] {
      EnterSyscall();
      w.Suspend();
    });
    if (row.global_work) {
      GList list;
      list.Push(waiting);
      w.As(w.sysmon,
           [&] { InjectGList(&list, WokenBy::kPoller); });  // it wakes nobody: no P is idle
    }
    sched.nmspinning.store(row.spinning);
    pp->sysmon_syscallwhen = now - row.since;
    pp->sysmon_syscalltick = pp->syscalltick.load() - (row.ticked ? 1 : 0);
    const uint32_t tick = pp->syscalltick.load();
    w.Trace();
    Retaken r = w.Look(now);
    EXPECT_EQ(r.handed_off, row.taken ? 1 : 0);
    EXPECT_EQ(r.look_again, row.look_again == kNever ? kNever : now + row.look_again);
    EXPECT_EQ(w.Trace(), row.taken ? "p0 syscall>idle" : "");
    EXPECT_EQ(pp->syscalltick.load(), tick + (row.taken ? 1 : 0));
    // Work, or nobody who looks for any: an M is woken. Else the P becomes idle.
    const bool given = row.taken && (row.work || row.spinning == 0);
    EXPECT_EQ(other->nextp, given ? pp : nullptr);
    EXPECT_EQ(sched.npidle.load(), row.taken && !given ? 1 : 0);
    LockGuard l(&sched.lock);
    EXPECT_EQ(sched.nmidlelocked, 0);
  }
}

TEST(Retake, LeavesOtherStatesAlone) {
  for (uint32_t status : {kPIdle, kPGcStop, kPDead}) {
    Watched w(1);
    w.PAt(0)->status.store(status);
    w.PAt(0)->m.store(nullptr);
    Retaken r = w.Look(World::kStart + 100 * kSlice);
    EXPECT_EQ(r.handed_off, 0);
    EXPECT_EQ(r.look_again, kNever);
    EXPECT_EQ(asked, 0);
    EXPECT_EQ(w.PAt(0)->status.load(), status);
  }
}

// A second P makes the look earlier or adds to the count.
TEST(Retake, LooksAtEveryP) {
  Watched w(2);
  const int64_t now = World::kStart;
  M* second = w.NewM();
  w.As(second, [&] {
    P* pp = w.PAt(1);
    pp->m.store(second);
    second->p.store(pp);
    second->curg.store(w.Dummy("b", kGRunning));
  });
  w.PAt(1)->status.store(kPRunning);
  m0.curg.store(w.Dummy("a", kGRunning));
  w.PAt(0)->schedtick.store(1);  // new: its slice ends in 10 ms
  w.PAt(1)->sysmon_schedwhen = now - 7 * kMs;
  EXPECT_EQ(w.Look(now).look_again, now + 3 * kMs);
  EXPECT_EQ(w.Look(now + 11 * kMs).look_again, now + 11 * kMs + 50 * kUs + 950 * kUs);
  EXPECT_EQ(asked, 2);
}

// ---- the race ----

// An M returns from its call while sysmon takes its P. Whoever's swap of the status comes first has
// the P; the other one sees it and does without.
TEST(Retake, RacesWithTheReturn) {
  struct Row {
    const char* name;
    // Where sysmon stands when the M goes on: before or after its swap; and how far the M goes.
    bool after_swap;
    bool next_call;
    const char* trace;
    int handed_off;
    uint32_t g_after;
  };
  const Row rows[] = {
      {"it returns first", false, false, "p0 syscall>idle, p0 idle>running, v syscall>running", 0,
       kGRunning},
      // The P is that of another call then, which is as good: its M finds out when it returns.
      {"it returns first, and leaves again", false, true,
       "p0 syscall>idle, p0 idle>running, v syscall>running, v running>syscall, "
       "p0 running>syscall, p0 syscall>idle",
       1, kGSyscall},
      {"sysmon is first", true, false, "p0 syscall>idle, v syscall>runnable", 1, kGRunnable},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Watched w(1);
    P* pp = w.PAt(0);
    Caller caller(&w, [&] {
      EnterSyscall();
      w.Suspend();
      ExitSyscall();
      if (row.next_call) EnterSyscall();
      w.Suspend();
    });
    pp->sysmon_syscallwhen = World::kStart - kSlice;
    pp->sysmon_syscalltick = pp->syscalltick.load();
    M* sleeper = w.NewM(/*sleeping=*/true);
    w.Trace();
    auto go_on = [&] { w.Run(caller.mp); };
    if (row.after_swap) {
      w.After("p0", kPSyscall, kPIdle, go_on);
    } else {
      w.Before("p0", kPSyscall, kPIdle, go_on);
    }
    Retaken r = w.Look(World::kStart);
    EXPECT_EQ(r.handed_off, row.handed_off);
    EXPECT_EQ(w.Trace(), row.trace);
    EXPECT_EQ(ReadGStatus(caller.v), row.g_after);
    // The P is in one place.
    EXPECT_EQ(sleeper->nextp, row.handed_off == 1 ? pp : nullptr);
    EXPECT_EQ(caller.mp->p.load(), row.handed_off == 1 ? nullptr : pp);
    EXPECT_EQ(w.DrainGlobal(), row.g_after == kGRunnable ? "v" : "");
    // Nobody takes what is in the hands of sysmon for a deadlock, or for idle.
    EXPECT_EQ(sched.npidle.load(), 0);
  }
}

}  // namespace
}  // namespace gort::rt::testing
