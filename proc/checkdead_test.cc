// proc/checkdead_test.cc: what the deadlock report takes for a deadlock, condition by condition.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/lock/mutex.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/testing/world.h"
#include "gort/tests/support/child.h"

namespace gort::rt::testing {
namespace {

using gort::testing::ChildResult;
using gort::testing::RunInChild;

constexpr char kDeadlock[] = "fatal error: all goroutines are asleep - deadlock!";

// A program in a deadlock: one main function, one M, asleep, and one goroutine, waiting.
void Deadlock(World* w) {
  MainBegin();
  w->Dummy("g", kGWaiting);
  LockGuard l(&sched.lock);
  sched.nmidle = 1;
}

void Check() {
  LockGuard l(&sched.lock);
  CheckDead();
}

struct Row {
  const char* name;
  std::function<void(World*)> change;  // of Deadlock's program
  const char* report;                  // null: none
};

void RunRow(const Row& row, const std::function<void()>& check) {
  SCOPED_TRACE(row.name);
  ChildResult r = RunInChild([&] {
    World w(1);
    Deadlock(&w);
    if (row.change) row.change(&w);
    check();
  });
  if (row.report == nullptr) {
    EXPECT_EQ(r.status, 0) << r.output;
    EXPECT_EQ(r.output, "");
  } else {
    EXPECT_EQ(r.status, 2);
    EXPECT_NE(r.output.find(row.report), std::string::npos) << r.output;
  }
}

TEST(CheckDead, EveryCondition) {
  const Row rows[] = {
      {"one goroutine waits", {}, kDeadlock},
      {"no main function runs", [](World*) { MainEnd(); }, nullptr},
      {"a thread is attached", [](World*) { sched.nforeign.store(1); }, nullptr},
      {"an M runs",
       [](World*) {
         LockGuard l(&sched.lock);
         sched.nmidle = 0;
       },
       nullptr},
      {"a second M runs", [](World* w) { w->NewM(); }, nullptr},
      {"a second M is idle", [](World* w) { w->NewM(/*sleeping=*/true); }, kDeadlock},
      {"a second M waits for the goroutine that is wired to it",
       [](World* w) {
         w->NewM();
         LockGuard l(&sched.lock);
         sched.nmidlelocked = 1;
       },
       kDeadlock},
      {"a second M is sysmon",
       [](World* w) {
         w->NewM();
         LockGuard l(&sched.lock);
         sched.nmsys = 1;
       },
       kDeadlock},
      {"a second M has ended",
       [](World* w) {
         w->NewM();
         LockGuard l(&sched.lock);
         sched.nmfreed = 1;
       },
       kDeadlock},
      {"more Ms sleep than there are",
       [](World*) {
         LockGuard l(&sched.lock);
         sched.nmidle = 2;
       },
       "fatal error: checkdead: inconsistent counts"},
      {"a timer will fire", [](World* w) { w->PAt(0)->num_timers.store(1); }, nullptr},
      {"a dead goroutine as well", [](World* w) { w->Dummy("d", kGDead); }, kDeadlock},
      {"a scanned goroutine",
       [](World* w) { w->Dummy("s", uint32_t{kGScan} | uint32_t{kGWaiting}); }, kDeadlock},
      {"a goroutine is runnable and on no queue", [](World* w) { w->Dummy("r", kGRunnable); },
       "fatal error: checkdead: runnable g"},
      {"a goroutine runs on no M", [](World* w) { w->Dummy("r", kGRunning); },
       "fatal error: checkdead: runnable g"},
      {"a goroutine is in a system call on no M", [](World* w) { w->Dummy("r", kGSyscall); },
       "fatal error: checkdead: runnable g"},
      {"a thread has just queued a goroutine",
       [](World* w) {
         w->Dummy("r", kGRunnable);
         sched.runqsize.store(1);
       },
       nullptr},
      {"no goroutine, main is still to come", [](World*) { allgs.store(nullptr); }, nullptr},
      {"no goroutine, main called Goexit",
       [](World*) {
         allgs.store(nullptr);
         sched.main_goexited.store(true);
       },
       "fatal error: no goroutines (main called runtime.Goexit) - deadlock!"},
      {"a thread that gort does not know", [](World* w) { w->strangers = 1; }, nullptr},
      {"threads that cannot be counted", [](World* w) { w->threads_unknown = true; }, nullptr},
      {"m0's thread stays when its M has ended",
       [](World* w) {
         w->NewM(/*sleeping=*/true);
         LockGuard l(&sched.lock);
         sched.nmidle = 1;
         sched.nmfreed = 1;
         sched.m0_exited = true;
       },
       kDeadlock},
  };
  int n = 0;
  for (const Row& row : rows) {
    RunRow(row, &Check);
    ++n;
  }
  printf("conditions: %d\n", n);
}

// Whoever takes away a reason to wait looks; whoever adds one does not.
TEST(CheckDead, WhoLooks) {
  struct LookRow {
    const char* name;
    std::function<void()> look;
    bool looks;
  };
  const LookRow rows[] = {
      {"a count of idle Ms goes up",
       [] {
         IncIdleLocked(0);
         IncIdleLocked(-1);
         IncIdleLocked(1);
       },
       true},
      {"a count of idle Ms goes down", [] { IncIdleLocked(-1); }, false},
      {"the last external waker goes",
       [] {
         AttachExternalWaker();
         DetachExternalWaker();
       },
       true},
      {"one of two external wakers goes",
       [] {
         AttachExternalWaker();
         AttachExternalWaker();
         DetachExternalWaker();
       },
       false},
      {"the last M goes to sleep",
       [] {
         LockGuard l(&sched.lock);
         sched.nmidle = 0;
         MPut(&m0);
       },
       true},
      {"sysmon makes a look that is due",
       [] {
         RequestDeadCheck();
         RecheckDead();
       },
       true},
      {"sysmon makes a look that is not due", [] { RecheckDead(); }, false},
  };
  for (const LookRow& row : rows) {
    RunRow({row.name, {}, row.looks ? kDeadlock : nullptr}, row.look);
  }
}

// A thread that gort does not know keeps the report back; sysmon is to look again, at growing
// distances, and gives up in the end.
TEST(CheckDead, LooksAgainWhileThereIsAStranger) {
  World w(1);
  Deadlock(&w);
  w.strangers = 1;
  EXPECT_EQ(DeadCheckDelay(), -1);
  sched.sysmonwait.store(true);
  Check();
  EXPECT_TRUE(sched.sysmonnote.IsSet());
  EXPECT_FALSE(sched.sysmonwait.load());
  EXPECT_EQ(sched.coarse_now.load(), w.now);  // sysmon may have slept for long
  constexpr int64_t kMs = 1'000'000;
  const int64_t delays[] = {10 * kMs,  20 * kMs,   40 * kMs,   80 * kMs,   160 * kMs,  320 * kMs,
                            640 * kMs, 1000 * kMs, 1000 * kMs, 1000 * kMs, 1000 * kMs, 1000 * kMs};
  for (int64_t delay : delays) {
    EXPECT_EQ(DeadCheckDelay(), delay);
    RecheckDead();
  }
  EXPECT_EQ(DeadCheckDelay(), -1);
  MainEnd();
}

// The stranger ends without a word: the next look finds the deadlock.
TEST(CheckDead, FindsTheDeadlockWhenTheStrangerIsGone) {
  ChildResult r = RunInChild([] {
    World w(1);
    Deadlock(&w);
    w.strangers = 1;
    Check();
    RecheckDead();
    w.strangers = 0;
    RecheckDead();
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find(kDeadlock), std::string::npos) << r.output;
}

}  // namespace
}  // namespace gort::rt::testing
