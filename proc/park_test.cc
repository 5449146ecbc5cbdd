// proc/park_test.cc: parking, readying, yielding and ending, transition by transition.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/lock/mutex.h"
#include "gort/proc/go.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/testing/world.h"
#include "gort/stack/internal/stack_alloc.h"
#include "gort/tests/support/child.h"

namespace gort::rt::testing {
namespace {

using gort::testing::ChildResult;
using gort::testing::RunInChild;

// What an unlock function does, and what it says.
struct Unlock {
  std::function<void(G*)> act;
  bool result;
  static bool Run(G* gp, void* arg) {
    auto* self = static_cast<Unlock*>(arg);
    if (self->act) self->act(gp);
    return self->result;
  }
};

struct ParkRow {
  const char* name;
  bool with_unlock;
  Unlock unlock;
  std::function<void(G*)> later;  // on g0, after the park
  const char* trace;
  const char* queued;
};

TEST(Park, EveryWayToWaitAndToBeWoken) {
  const ParkRow rows[] = {
      {"woken later",
       false,
       {},
       [](G* gp) { GoReady(gp); },
       "g runnable>running, g running>waiting, g waiting>runnable",
       "g"},
      {"unlocked, woken later",
       true,
       {{}, true},
       [](G* gp) { GoReady(gp); },
       "g runnable>running, g running>waiting, g waiting>runnable",
       "g"},
      {"woken before the unlock function has returned",
       true,
       {[](G* gp) { GoReady(gp); }, true},
       {},
       "g runnable>running, g running>waiting, g waiting>runnable",
       "g"},
      {"cancelled by the unlock function",
       true,
       {{}, false},
       {},
       "g runnable>running, g running>waiting, g waiting>runnable",
       "g"},
      {"woken by the poller's list",
       false,
       {},
       [](G* gp) {
         GList list;
         list.Push(gp);
         InjectGList(&list, WokenBy::kPoller);
         EXPECT_TRUE(list.empty());
       },
       "g runnable>running, g running>waiting, g waiting>runnable",
       "g"},
      {"not woken", false, {}, {}, "g runnable>running, g running>waiting", ""},
  };
  for (const ParkRow& row : rows) {
    SCOPED_TRACE(row.name);
    World w(1);
    Unlock unlock = row.unlock;
    bool went_on = false;
    G* gp = w.NewG("g", [&] {
      GoPark(row.with_unlock ? &Unlock::Run : nullptr, &unlock, WaitReason::kSleep);
      went_on = true;
    });
    w.Resume(gp);
    EXPECT_FALSE(went_on);
    EXPECT_EQ(gp->m, nullptr);
    EXPECT_EQ(m0.curg.load(), nullptr);
    if (row.later) row.later(gp);
    EXPECT_EQ(w.Trace(), row.trace);
    EXPECT_EQ(w.DrainLocal(w.PAt(0)), row.queued);
    EXPECT_EQ(w.DrainGlobal(), "");
    if (row.queued[0] == '\0') continue;
    w.Resume(gp);
    EXPECT_TRUE(went_on);
    EXPECT_EQ(w.Trace(), "g runnable>running, g running>dead");
  }
}

TEST(Park, NotesSinceAboutWhenItWaits) {
  World w(1);
  G* gp = w.NewG("g", [] { GoPark(nullptr, nullptr, WaitReason::kSleep); });
  sched.coarse_now.store(42);
  w.Resume(gp);
  EXPECT_EQ(gp->waitsince, 42);
}

// The park that its unlock function cancels against a wake-up: whoever comes second finds a G that
// does not wait, which must not pass unnoticed. One would queue the G twice.
TEST(Park, ACancelledParkCannotBeWokenToo) {
  struct Row {
    const char* name;
    std::function<void(G*)> in_unlock;
    std::function<void(G*)> later;
    const char* text;
  };
  const Row rows[] = {
      {"woken first", [](G* gp) { GoReady(gp); }, {}, "status waiting -> runnable, found runnable"},
      {"cancelled first",
       {},
       [](G* gp) { GoReady(gp); },
       "status waiting -> runnable, found runnable"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    ChildResult r = RunInChild([&] {
      World w(1);
      Unlock unlock{row.in_unlock, false};
      G* gp = w.NewG("g", [&] { GoPark(&Unlock::Run, &unlock, WaitReason::kSleep); });
      w.Resume(gp);
      if (row.later) row.later(gp);
    });
    EXPECT_EQ(r.status, 2);
    EXPECT_NE(r.output.find(row.text), std::string::npos) << r.output;
  }
}

// Another M wakes the G just before the parker's commit makes it kGWaiting: that must wait for the
// commit, so nobody gets at a G that is still on its stack. Here: it is fatal, not silent.
TEST(Park, AGThatIsNotOffItsStackCannotBeWoken) {
  ChildResult r = RunInChild([] {
    World w(1);
    G* gp = w.NewG("g", [] { GoPark(nullptr, nullptr, WaitReason::kSleep); });
    M* other = w.NewM();
    w.Before("g", kGRunning, kGWaiting, [&] { w.As(other, [&] { GoReady(gp); }); });
    w.Resume(gp);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("status waiting -> runnable, found running"), std::string::npos)
      << r.output;
}

// Between the cancelled park's two transitions another M takes what it can: nothing, for the G is
// on no queue.
TEST(Park, ACancelledGIsOnOneQueueOnce) {
  World w(2);
  Unlock unlock{{}, false};
  G* gp = w.NewG("g", [&] { GoPark(&Unlock::Run, &unlock, WaitReason::kSleep); });
  bool looked = false;
  w.Before("g", kGWaiting, kGRunnable, [&] {
    looked = true;
    EXPECT_EQ(w.DrainLocal(w.PAt(0)) + w.DrainGlobal(), "");
  });
  w.Resume(gp);
  EXPECT_TRUE(looked);
  EXPECT_EQ(w.DrainLocal(w.PAt(0)) + w.DrainGlobal(), "g");
}

// The goroutine that runs next finishes the park of the one before, on its own stack.
TEST(Park, ASuccessorCommits) {
  World w(1);
  std::string order;
  G* first = w.NewG("first", [&] {
    GoPark(nullptr, nullptr, WaitReason::kSleep);
    order += "woken ";
  });
  G* second = w.NewG("second", [&] {
    order += "second ";
    EXPECT_EQ(ReadGStatus(first), uint32_t{kGWaiting});
    GoReady(first);
    // At the end of the line: the one that was just readied goes first.
    Gosched();
    order += "again ";
  });
  RunqPutLocal(w.PAt(0), second, false);
  w.Resume(first);
  EXPECT_EQ(order, "second woken again ");
  EXPECT_EQ(w.Trace(),
            "first runnable>running, second runnable>running, first running>waiting, "
            "first waiting>runnable, first runnable>running, second running>runnable, "
            "second runnable>running, first running>dead, second running>dead");
}

// What runs next may need a stack: a call of the kernel and a page fault, for which those who want the lock would wait.
TEST(Park, NoStackIsMadeWhileALockIsHeld) {
  struct Row {
    const char* name;
    bool warm;    // the P has a stack that was in use
    bool locked;  // while it parks
    bool over_g0;
  };
  for (const Row& row :
       {Row{"a stack is there", true, true, false}, Row{"there is none", false, true, true},
        Row{"there is none, and no lock is held", false, false, false}}) {
    SCOPED_TRACE(row.name);
    World w(1);
    P* pp = w.PAt(0);
    if (row.warm) StackFree(StackAlloc(0, nullptr), pp->stackcache);
    G* fresh = nullptr;
    bool began = false;
    bool had_stack = false;
    Unlock unlock{[&](G*) { had_stack = fresh->sched.sp != 0; }, true};
    G* g = w.NewG("g", [&] {
      NewGoroutine made = NewProcBegin(
          sizeof(bool*), alignof(bool*), [](void* at) { **static_cast<bool**>(at) = true; }, 0,
          nullptr);
      *static_cast<bool**>(made.closure) = &began;
      fresh = made.gp;
      NewProcCommit(fresh);
      GoPark(row.locked ? &Unlock::Run : nullptr, &unlock, WaitReason::kChanReceive);
    });
    w.Resume(g);
    EXPECT_EQ(began, !row.over_g0);
    EXPECT_EQ(had_stack, row.locked && !row.over_g0);
    if (row.over_g0) {
      EXPECT_EQ(pp->runq.runnext.load(), fresh);
      w.DrainLocal(pp);
      w.Resume(fresh);
    }
    EXPECT_TRUE(began);
    GoReady(g);
    w.DrainLocal(pp);
    w.Resume(g);
    StackCacheFlush(pp->stackcache);
  }
}

TEST(Park, YieldingGoesToTheEndOfTheLine) {
  struct Row {
    const char* name;
    const char* local;  // who waits where
    const char* global;
    const char* trace;
    const char* left_local;
    const char* left_global;
  };
  const Row rows[] = {
      {"alone", "", "", "g runnable>running, g running>runnable", "", "g"},
      {"before one of the global queue", "", "other", "g runnable>running, g running>runnable", "",
       "other, g"},
      {"before one of its own queue", "other", "",
       "g runnable>running, other runnable>running, g running>runnable, g runnable>running, "
       "other running>dead, g running>dead",
       "", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World w(1);
    G* gp = w.NewG("g", [] { Gosched(); });
    G* other = w.NewG("other", [] {});
    if (row.local[0] != '\0') RunqPutLocal(w.PAt(0), other, false);
    if (row.global[0] != '\0') Submit(nullptr, other, false);
    w.Resume(gp);
    EXPECT_EQ(w.Trace(), row.trace);
    EXPECT_EQ(w.DrainLocal(w.PAt(0)), row.left_local);
    EXPECT_EQ(w.DrainGlobal(), row.left_global);
  }
}

TEST(Park, PreEmptionIsTakenAtTheNextCheckPoint) {
  struct Row {
    const char* name;
    bool asked;
    bool pinned;
    const char* trace;
  };
  const Row rows[] = {
      {"not asked", false, false, "g runnable>running, g running>dead"},
      {"asked", true, false, "g runnable>running, g running>runnable"},
      {"asked while pinned", true, true, "g runnable>running, g running>dead"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World w(1);
    M* sysmon = w.NewM();
    G* gp = w.NewG("g", [&] {
      M* mp = row.pinned ? AcquireM() : nullptr;
      if (row.asked) w.As(sysmon, [&] { EXPECT_TRUE(PreemptOne(w.PAt(0))); });
      PreemptCheck();
      if (mp != nullptr) ReleaseM(mp);
    });
    w.Resume(gp);
    EXPECT_EQ(w.Trace(), row.trace);
  }
}

// A thread's G: parking blocks the thread, waking wakes it, and no queue is touched.
TEST(Park, AForeignThreadSleepsOnItsNote) {
  struct Row {
    const char* name;
    bool with_unlock;
    bool unlock_result;
    bool woken_in_unlock;
    const char* trace;
    int sleeps;
  };
  const Row rows[] = {
      {"woken while asleep", false, true, false,
       "t running>waiting, t waiting>runnable, t runnable>running", 1},
      {"woken before it sleeps", true, true, true,
       "t running>waiting, t waiting>runnable, t runnable>running", 0},
      {"cancelled", true, false, false, "t running>waiting, t waiting>runnable, t runnable>running",
       0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World w(1);
    G* thread = w.NewForeign("t");
    int sleeps = 0;
    w.on_sleep = [&](Note* note) {
      ++sleeps;
      EXPECT_EQ(note, &thread->m->park);
      w.AsG(&g0, [&] { GoReady(thread); });
    };
    Unlock unlock{[&](G* gp) {
                    if (row.woken_in_unlock) w.AsG(&g0, [&] { GoReady(gp); });
                  },
                  row.unlock_result};
    w.AsG(thread,
          [&] { GoPark(row.with_unlock ? &Unlock::Run : nullptr, &unlock, WaitReason::kSleep); });
    EXPECT_EQ(w.Trace(), row.trace);
    EXPECT_EQ(sleeps, row.sleeps);
    EXPECT_EQ(w.DrainGlobal() + w.DrainLocal(w.PAt(0)), "");
  }
}

// The life of a thread's G: given on first use, counted, taken back.
TEST(Park, AThreadIsGivenAGOnFirstUse) {
  World w(1);
  w.AsG(nullptr, [] {
    G* gp = CurrentG();
    EXPECT_TRUE(gp->foreign);
    EXPECT_EQ(ReadGStatus(gp), uint32_t{kGRunning});
    EXPECT_EQ(CurrentG(), gp);
    EXPECT_FALSE(OnGoroutine());
  });
  EXPECT_EQ(w.Trace(), "g? dead>running");
  EXPECT_EQ(sched.nforeign.load(), 1);
  EXPECT_EQ(sched.nattached.load(), 1);
}

// A waker's side of Submit: where a readied goroutine goes, and whom that wakes.
TEST(Park, AReadiedGoroutineWakesAtMostOneM) {
  struct Row {
    const char* name;
    int procs;
    bool waker_has_p;
    int spinning;
    bool started;
    const char* local;
    const char* global;
    bool wakes;
  };
  const Row rows[] = {
      {"one P", 1, true, 0, true, "g", "", false},
      {"an idle P", 2, true, 0, true, "g", "", true},
      {"an idle P, an M that looks for work", 2, true, 1, true, "g", "", false},
      {"an idle P, too early in the start", 2, true, 0, false, "g", "", false},
      {"by an M without a P", 2, false, 0, true, "", "g", true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World w(row.procs);
    M* sleeper = w.NewM(/*sleeping=*/true);
    M* other = w.NewM();
    sched.nmspinning.store(row.spinning);
    sched.main_started.store(row.started);
    G* gp = w.NewG("g", [] { GoPark(nullptr, nullptr, WaitReason::kSleep); });
    w.Resume(gp);
    if (row.waker_has_p) {
      GoReady(gp);
    } else {
      w.As(other, [&] { GoReady(gp); });
    }
    EXPECT_EQ(w.DrainLocal(w.PAt(0)), row.local);
    EXPECT_EQ(w.DrainGlobal(), row.global);
    EXPECT_EQ(sleeper->nextp, row.wakes ? w.PAt(1) : nullptr);
    EXPECT_EQ(sleeper->park.IsSet(), row.wakes);
    EXPECT_EQ(sleeper->spinning, row.wakes);
    EXPECT_EQ(sched.nmspinning.load(), row.spinning + (row.wakes ? 1 : 0));
    EXPECT_TRUE(w.threads.empty());
  }
}

}  // namespace
}  // namespace gort::rt::testing
