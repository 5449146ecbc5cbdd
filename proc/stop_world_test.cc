// proc/stop_world_test.cc: stopping and starting the world, against every state of the other P and
// every way to leave it.
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
#include "gort/tests/support/child.h"

namespace gort::rt::testing {
namespace {

using gort::testing::ChildResult;
using gort::testing::RunInChild;

// The other side: an M in the product's loop that holds P 1 and first runs `victim`.
struct Other {
  World* w;
  M* mp = nullptr;
  M* second = nullptr;  // asleep, for a P that mp gives away
  G* victim = nullptr;
  bool in_hook = false;  // P 1's goroutine was asked to give way

  Other(World* world, std::function<void()> body) : w(world) {
    victim = w->NewG("v", std::move(body));
    mp = w->NewThread([this](M* self) {
      P* pp;
      {
        LockGuard l(&sched.lock);
        pp = PidleGet();
      }
      AcquireP(pp);
      RunqPutLocal(pp, victim, false);
      ScheduleLoop(self);
    });
    second = w->NewThread([](M* self) {
      StopM();
      ScheduleLoop(self);
    });
    w->Run(second);
  }

  void Run() {
    w->Run(mp);
    w->Run(second);
  }
};

Other* other = nullptr;

struct Row {
  const char* name;
  // The goroutine on P 1. It runs as far as its first Suspend before the world is stopped, and
  // goes on when it is asked to give way, or when the stopper sleeps.
  std::function<void(World*)> victim;
  const char* trace;  // of the stop
  uint32_t g_after;   // the victim's state when the world stands
};

void RunRow(const Row& row) {
  SCOPED_TRACE(row.name);
  World w(2);
  Other o(&w, [&] { row.victim(&w); });
  other = &o;
  if (row.victim) w.Run(o.mp);
  sched_hooks.preempt_m = [](M* mp) {
    EXPECT_EQ(mp, other->mp);
    if (!other->in_hook) other->w->Run(mp);
    other->in_hook = true;
  };
  w.on_sleep = [&](Note* note) {
    EXPECT_EQ(note, &sched.stopnote);
    o.Run();
  };
  G* stopper = w.NewG("s", [&] {
    w.Trace();
    StopTheWorld(WaitReason::kStoppingTheWorld);
    EXPECT_EQ(w.Trace(), row.trace);
    EXPECT_EQ(w.PAt(0)->status.load(), uint32_t{kPGcStop});
    EXPECT_EQ(w.PAt(1)->status.load(), uint32_t{kPGcStop});
    EXPECT_TRUE(sched.gcwaiting.load());
    EXPECT_FALSE(sched.stopnote.IsSet());
    EXPECT_EQ(sched.npidle.load(), 0);
    if (row.victim) {
      EXPECT_EQ(ReadGStatus(o.victim), row.g_after);
      o.Run();  // whatever the other M does now, it gets no further than its note
    }
    EXPECT_EQ(w.PAt(1)->status.load(), uint32_t{kPGcStop});
    {
      LockGuard l(&sched.lock);
      EXPECT_EQ(sched.stopwait, 0);
    }
    StartTheWorld();
    EXPECT_FALSE(sched.gcwaiting.load());
    EXPECT_EQ(w.PAt(0)->status.load(), uint32_t{kPRunning});
    EXPECT_EQ(w.PAt(1)->status.load(), uint32_t{kPIdle});
  });
  w.Resume(stopper);
  EXPECT_EQ(ReadGStatus(stopper), uint32_t{kGDead});
  if (!row.victim) return;
  // What was interrupted goes on to its end: the other M was woken for P 1 if there is work.
  for (int i = 0; i < 4; ++i) o.Run();
  EXPECT_EQ(ReadGStatus(o.victim), uint32_t{kGDead});
  EXPECT_EQ(w.DrainGlobal(), "");
}

TEST(StopTheWorld, EveryStateOfTheOtherP) {
  const Row rows[] = {
      {"idle", {}, "p0 running>gcstop, p1 idle>gcstop", 0},
      {"in a system call",
       [](World* w) {
         EnterSyscall();
         w->Suspend();
         ExitSyscall();
       },
       "p0 running>gcstop, p1 syscall>gcstop", kGSyscall},
      {"running, gives way when asked",
       [](World* w) {
         w->Suspend();
         PreemptCheck();
       },
       "p0 running>gcstop, v running>runnable, p1 running>idle, p1 idle>gcstop", kGRunnable},
      {"running, parks when asked and is woken",
       [](World* w) {
         w->Suspend();
         GoPark([](G* gp, void*) { return gp == nullptr; }, nullptr, WaitReason::kSleep);
       },
       "p0 running>gcstop, v running>waiting, v waiting>runnable, p1 running>idle, p1 idle>gcstop",
       kGRunnable},
      {"running, ends when asked", [](World* w) { w->Suspend(); },
       "p0 running>gcstop, v running>dead, p1 running>idle, p1 idle>gcstop", kGDead},
      {"running, enters a system call when asked",
       [](World* w) {
         w->Suspend();
         EnterSyscall();
         w->Suspend();
         ExitSyscall();
       },
       "p0 running>gcstop, v running>syscall, p1 running>syscall, p1 syscall>gcstop", kGSyscall},
      {"running, enters a call that blocks when asked",
       [](World* w) {
         w->Suspend();
         EnterSyscallBlock();
         w->Suspend();
         ExitSyscall();
       },
       "p0 running>gcstop, v running>syscall, p1 running>idle, p1 idle>gcstop", kGSyscall},
  };
  for (const Row& row : rows) RunRow(row);
}

// The stopper against a goroutine that enters a system call or returns from one, cut at each
// transition of either.
TEST(StopTheWorld, RacesWithASystemCall) {
  const Row rows[] = {
      {"enters: before its P is left",
       [](World* w) {
         w->Before("p1", kPRunning, kPSyscall, [=] { w->Suspend(); });
         EnterSyscall();
         w->Suspend();
         ExitSyscall();
       },
       "p0 running>gcstop, p1 running>syscall, p1 syscall>gcstop", kGSyscall},
      {"enters: its P is left, it has not looked for a stopper yet",
       [](World* w) {
         w->After("p1", kPRunning, kPSyscall, [=] { w->Suspend(); });
         EnterSyscall();
         w->Suspend();
         ExitSyscall();
       },
       "p0 running>gcstop, p1 syscall>gcstop", kGSyscall},
      {"returns: before it takes its P",
       [](World* w) {
         EnterSyscall();
         w->Before("p1", kPSyscall, kPIdle, [=] { w->Suspend(); });
         ExitSyscall();
       },
       "p0 running>gcstop, p1 syscall>gcstop", kGSyscall},
      {"returns: its P is taken and not running yet",
       [](World* w) {
         EnterSyscall();
         w->After("p1", kPSyscall, kPIdle, [=] { w->Suspend(); });
         ExitSyscall();
       },
       "p0 running>gcstop, p1 idle>running, v syscall>running, v running>runnable, "
       "p1 running>idle, p1 idle>gcstop",
       kGRunnable},
      {"returns: its P runs, its goroutine does not yet",
       [](World* w) {
         EnterSyscall();
         w->Before("v", kGSyscall, kGRunning, [=] { w->Suspend(); });
         ExitSyscall();
       },
       "p0 running>gcstop, v syscall>running, v running>runnable, p1 running>idle, p1 idle>gcstop",
       kGRunnable},
  };
  for (const Row& row : rows) RunRow(row);
}

// One goroutine at a time stops the world; the next one waits, parked, and is handed the right.
TEST(StopTheWorld, OneAtATime) {
  World w(2);
  bool had_its_turn = false;
  Other o(&w, [&] {
    w.Suspend();
    StopTheWorld(WaitReason::kStoppingTheWorld);
    had_its_turn = true;
    StartTheWorld();
  });
  other = &o;
  w.Run(o.mp);
  sched_hooks.preempt_m = [](M*) { other->Run(); };
  w.on_sleep = [&](Note*) { o.Run(); };
  G* stopper = w.NewG("s", [&] {
    StopTheWorld(WaitReason::kStoppingTheWorld);
    EXPECT_EQ(ReadGStatus(o.victim), uint32_t{kGWaiting});
    EXPECT_EQ(o.victim->waitreason, WaitReason::kStoppingTheWorld);
    StartTheWorld();
    EXPECT_EQ(ReadGStatus(o.victim), uint32_t{kGRunnable});
    EXPECT_FALSE(had_its_turn);
  });
  w.Resume(stopper);  // and then the victim, which was next on this P
  EXPECT_TRUE(had_its_turn);
  EXPECT_EQ(ReadGStatus(o.victim), uint32_t{kGDead});
}

// An M that was asked to stop comes when the world runs again: its P is idle like any other.
TEST(StopTheWorld, AnMThatComesTooLateLeavesItsPIdle) {
  World w(1);
  M* late = w.NewThread([](M*) {
    GcStopM();
    ADD_FAILURE();  // nobody wakes it
  });
  P* pp = ReleaseP();
  w.As(late, [&] { AcquireP(pp); });
  w.Trace();
  EXPECT_FALSE(w.Run(late));
  EXPECT_EQ(w.Trace(), "p0 running>idle");
  EXPECT_EQ(sched.npidle.load(), 1);
  EXPECT_FALSE(sched.stopnote.IsSet());
}

TEST(StopTheWorld, SpinningIsGivenUp) {
  World w(2);
  sched.gcwaiting.store(true);
  {
    LockGuard l(&sched.lock);
    sched.stopwait = 2;
  }
  BecomeSpinning(&m0);
  M* self = &m0;
  w.on_sleep = [&](Note* note) {
    EXPECT_EQ(note, &self->park);
    EXPECT_EQ(sched.nmspinning.load(), 0);
    EXPECT_FALSE(sched.stopnote.IsSet());  // one P is still missing
    LockGuard l(&sched.lock);
    EXPECT_EQ(sched.stopwait, 1);
    EXPECT_EQ(MGet(), self);
    self->nextp = PidleGet();
    self->park.Wakeup();
  };
  GcStopM();
  EXPECT_EQ(m0.p.load(), w.PAt(1));
}

TEST(StopTheWorld, OnlyAGoroutineMay) {
  ChildResult r = RunInChild([] {
    World w(1);
    w.AsG(nullptr, [] { StopTheWorld(WaitReason::kStoppingTheWorld); });
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("stopTheWorld: not on a goroutine"), std::string::npos) << r.output;
}

}  // namespace
}  // namespace gort::rt::testing
