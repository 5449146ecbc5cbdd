// proc/syscall_test.cc: system calls and handing Ps over, transition by transition, and the races of
// a return from a call.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/status.h"
#include "gort/lock/mutex.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/testing/world.h"

namespace gort::rt::testing {
namespace {

constexpr char kEntered[] = "g runnable>running, g running>syscall, p0 running>syscall";

// What sysmon does with a P that it takes out of a call (sysmon/retake.cc).
bool Retake(World* w, M* sysmon, P* pp) {
  bool taken = false;
  w->As(sysmon, [&] {
    IncIdleLocked(-1);
    taken = CasPStatus(pp, kPSyscall, kPIdle);
    if (taken) HandoffP(pp);
    IncIdleLocked(1);
  });
  return taken;
}

struct Row {
  const char* name;
  int procs;     // P 0 is g's, the others are idle
  int spinning;  // Ms that look for work already
  // Runs while g is in its call, as no M in particular. `other` sleeps on the list of idle Ms.
  std::function<void(World*, M* other)> during;
  // Runs inside ExitSyscall, just before it tries to take its P back.
  std::function<void(World*, M* other)> at_return;
  const char* trace;   // after kEntered
  const char* global;  // queue at the end
  int p_of_other;      // the P that other was given; -1: none
};

TEST(Syscall, EveryWayToComeBack) {
  M* sysmon = nullptr;
  auto retake = [&](World* w, M*) { EXPECT_TRUE(Retake(w, sysmon, w->PAt(0))); };
  auto retake_fails = [&](World* w, M*) { EXPECT_FALSE(Retake(w, sysmon, w->PAt(0))); };
  const Row rows[] = {
      {"its P is where it left it",
       1,
       0,
       {},
       {},
       ", p0 syscall>idle, p0 idle>running, g syscall>running",
       "",
       -1},
      {"its P was taken and is idle",
       1,
       1,
       retake,
       {},
       ", p0 syscall>idle, p0 idle>running, g syscall>running",
       "",
       -1},
      {"its P was taken, another one is idle",
       2,
       0,
       [&](World* w, M* m) {
         retake(w, m);
         LockGuard l(&sched.lock);
         EXPECT_EQ(PidleGet(), w->PAt(0));  // somebody else's now
       },
       {},
       ", p0 syscall>idle, p1 idle>running, g syscall>running",
       "",
       -1},
      {"its P was taken for another M",
       1,
       0,
       retake,
       {},
       ", p0 syscall>idle, g syscall>runnable",
       "g",
       0},
      {"its P is taken just before it comes back",
       1,
       0,
       {},
       retake,
       ", p0 syscall>idle, g syscall>runnable",
       "g",
       0},
      {"its P is taken just before it comes back, and idle",
       1,
       1,
       {},
       retake,
       ", p0 syscall>idle, p0 idle>running, g syscall>running",
       "",
       -1},
      {"sysmon comes too late",
       1,
       0,
       {},
       [&](World* w, M* m) {
         w->After("p0", kPSyscall, kPIdle, [=, &retake_fails] { retake_fails(w, m); });
       },
       ", p0 syscall>idle, p0 idle>running, g syscall>running",
       "",
       -1},
      {"a P becomes idle after it has looked for one",
       1,
       0,
       [&](World* w, M* m) {
         retake(w, m);  // for m
         w->Before("g", kGSyscall, kGRunnable, [=] {
           P* pp = std::exchange(m->nextp, nullptr);
           LockGuard l(&sched.lock);
           PidlePut(pp);
         });
       },
       {},
       ", p0 syscall>idle, g syscall>runnable, p0 idle>running",
       "",
       -1},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World w(row.procs);
    sysmon = w.NewM();
    M* other = w.NewM(/*sleeping=*/true);
    sched.nmspinning.store(row.spinning);
    const uint32_t tick = w.PAt(0)->syscalltick.load();
    bool came_back = false;
    G* gp = w.NewG("g", [&] {
      EnterSyscall();
      EXPECT_EQ(m0.p.load(), nullptr);
      EXPECT_EQ(w.PAt(0)->m.load(), nullptr);
      if (row.during) row.during(&w, other);
      if (row.at_return) w.Before("p0", kPSyscall, kPIdle, [&] { row.at_return(&w, other); });
      ExitSyscall();
      came_back = true;
      EXPECT_EQ(m0.p.load()->m.load(), &m0);
      EXPECT_EQ(w.Trace(), std::string(kEntered) + row.trace);
    });
    w.Resume(gp);
    EXPECT_EQ(came_back, ReadGStatus(gp) == kGDead);
    if (!came_back) {
      EXPECT_EQ(w.Trace(), std::string(kEntered) + row.trace);
      P* pp = m0.p.load();
      EXPECT_EQ(pp != nullptr ? w.DrainLocal(pp) : "", row.global[0] == '\0' ? "g" : "");
    }
    EXPECT_EQ(w.DrainGlobal(), row.global);
    EXPECT_EQ(other->nextp, row.p_of_other < 0 ? nullptr : w.PAt(row.p_of_other));
    {
      LockGuard l(&sched.lock);
      EXPECT_EQ(sched.nmidlelocked, 0);
    }
    if (row.p_of_other < 0 && row.spinning == 0 && row.procs == 1 && !row.during) {
      EXPECT_EQ(w.PAt(0)->syscalltick.load(), tick + 1);
    }
  }
}

TEST(Syscall, ACallThatIsKnownToBlockLeavesItsPAtOnce) {
  struct BlockRow {
    const char* name;
    int spinning;
    const char* trace;
    const char* global;
  };
  const BlockRow rows[] = {
      {"an M takes it", 0,
       "g runnable>running, g running>syscall, p0 running>idle, g syscall>runnable", "g"},
      {"idle", 1,
       "g runnable>running, g running>syscall, p0 running>idle, p0 idle>running, g syscall>running",
       ""},
  };
  for (const BlockRow& row : rows) {
    SCOPED_TRACE(row.name);
    World w(1);
    M* other = w.NewM(/*sleeping=*/true);
    sched.nmspinning.store(row.spinning);
    std::string trace;
    G* gp = w.NewG("g", [&] {
      EnterSyscallBlock();
      ExitSyscall();
      trace = w.Trace();
    });
    w.Resume(gp);
    EXPECT_EQ(trace.empty() ? w.Trace() : trace, row.trace);
    EXPECT_EQ(w.DrainGlobal(), row.global);
    EXPECT_EQ(other->nextp, row.spinning == 0 ? w.PAt(0) : nullptr);
    EXPECT_EQ(other->spinning, row.spinning == 0);
  }
}

TEST(Syscall, NestedCallsAreOneCall) {
  World w(1);
  G* gp = w.NewG("g", [&] {
    EnterSyscall();
    EnterSyscall();
    EnterSyscallBlock();
    ExitSyscall();
    ExitSyscall();
    EXPECT_EQ(w.Trace(), kEntered);
    ExitSyscall();
    EXPECT_EQ(w.Trace(), "p0 syscall>idle, p0 idle>running, g syscall>running");
  });
  w.Resume(gp);
  EXPECT_EQ(w.Trace(), "g running>dead");
}

TEST(Syscall, AForeignThreadHasNothingToLeave) {
  World w(1);
  G* thread = w.NewForeign("t");
  w.AsG(thread, [] {
    EnterSyscall();
    ExitSyscall();
    EnterSyscallBlock();
    ExitSyscall();
  });
  EXPECT_EQ(w.Trace(), "");
}

// What becomes of a P that its M cannot use, in the order in which HandoffP asks.
TEST(Handoff, EveryAnswer) {
  enum To { kM, kSpinningM, kIdleList, kStopped };
  struct HandoffRow {
    const char* name;
    std::function<void(World*)> prepare;
    To to;
    int breaks;    // how often the poller's sleeper was woken
    bool started;  // a second M was woken for the P after it became idle
  };
  const HandoffRow rows[] = {
      {"work of its own", [](World* w) { RunqPutLocal(w->PAt(0), w->NewG("work", [] {}), false); },
       kM, 0, false},
      {"work in the global queue",
       [](World* w) {
         LockGuard l(&sched.lock);
         GlobRunqPut(w->NewG("work", [] {}));
       },
       kM, 0, false},
      {"nobody looks for work", [](World*) {}, kSpinningM, 0, false},
      {"somebody looks for work", [](World*) { sched.nmspinning.store(1); }, kIdleList, 0, false},
      {"the world is being stopped",
       [](World*) {
         sched.nmspinning.store(1);
         sched.gcwaiting.store(true);
         LockGuard l(&sched.lock);
         sched.stopwait = 1;
       },
       kStopped, 0, false},
      {"the last P, and nobody polls",
       [](World*) {
         sched.nmspinning.store(1);
         sched_hooks.netpoll_inited = true;
       },
       kM, 0, false},
      {"the last P, and somebody polls",
       [](World*) {
         sched.nmspinning.store(1);
         sched_hooks.netpoll_inited = true;
         sched.lastpoll.store(0);
       },
       kIdleList, 0, false},
      {"it has a timer, and the poller sleeps longer",
       [](World* w) {
         sched.nmspinning.store(1);
         sched.lastpoll.store(0);
         sched.poll_until.store(200);
         w->PAt(0)->timer0_when.store(100);
       },
       kIdleList, 1, false},
      {"it has a timer, and the poller sleeps for ever",
       [](World* w) {
         sched.nmspinning.store(1);
         sched.lastpoll.store(0);
         w->PAt(0)->timer0_when.store(100);
       },
       kIdleList, 1, false},
      {"it has a timer, and the poller wakes before",
       [](World* w) {
         sched.nmspinning.store(1);
         sched.lastpoll.store(0);
         sched.poll_until.store(50);
         w->PAt(0)->timer0_when.store(100);
       },
       kIdleList, 0, false},
  };
  static int breaks;
  for (const HandoffRow& row : rows) {
    SCOPED_TRACE(row.name);
    World w(1);
    breaks = 0;
    sched_hooks.netpoll_break = [] { ++breaks; };
    M* other = w.NewM(/*sleeping=*/true);
    row.prepare(&w);
    P* pp = ReleaseP();
    w.Trace();
    HandoffP(pp);
    EXPECT_EQ(other->nextp, row.to == kM || row.to == kSpinningM ? pp : nullptr);
    EXPECT_EQ(other->spinning, row.to == kSpinningM);
    EXPECT_EQ(sched.npidle.load(), row.to == kIdleList ? 1 : 0);
    EXPECT_EQ(idlep_mask.Read(0), row.to == kIdleList);
    EXPECT_EQ(w.Trace(), row.to == kStopped ? "p0 idle>gcstop" : "");
    EXPECT_EQ(sched.stopnote.IsSet(), row.to == kStopped);
    EXPECT_EQ(breaks, row.breaks);
    EXPECT_TRUE(w.threads.empty());
  }
}

// With no M asleep a thread is asked for, and it is told whether it looks for work.
TEST(Handoff, AskForAThreadWhenNoMSleeps) {
  World w(1);
  P* pp = ReleaseP();
  HandoffP(pp);
  ASSERT_EQ(w.threads.size(), 1U);
  EXPECT_EQ(w.threads[0]->nextp, pp);
  ASSERT_NE(w.threads[0]->mstartfn, nullptr);
  w.As(w.threads[0], [&] { w.threads[0]->mstartfn(); });
  EXPECT_TRUE(w.threads[0]->spinning);
  EXPECT_EQ(sched.nmspinning.load(), 1);
}

// An M ends while its P is handed over: a goroutine that is wired to its thread ends, its M leaves
// the loop, and the P goes to an M that lives, not back to the one that ends.
TEST(Handoff, AnMThatEndsGivesItsPAway) {
  World w(1);
  M* other = w.NewM(/*sleeping=*/true);
  G* gp = w.NewG("g", [] { LockOSThread(); });
  G* work = w.NewG("work", [] {});
  RunqPutLocal(w.PAt(0), work, false);
  w.Resume(gp);
  EXPECT_TRUE(m0.exiting);
  EXPECT_EQ(m0.lockedg.load(), nullptr);
  ScheduleLoop(&m0);  // leaves at once
  HandoffP(ReleaseP());
  EXPECT_EQ(other->nextp, w.PAt(0));
  EXPECT_EQ(w.DrainLocal(w.PAt(0)), "work");
  EXPECT_EQ(w.Trace(), "g runnable>running, g running>dead, p0 running>idle");
}

}  // namespace
}  // namespace gort::rt::testing
