// proc/procresize_test.cc: changing the number of Ps, P by P.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

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

// Makes P `id`, which is idle, the current M's in place of the one that it has.
void MoveTo(int32_t id) {
  P* old = ReleaseP();
  LockGuard l(&sched.lock);
  std::vector<P*> others;
  while (P* pp = PidleGet()) {
    if (pp->id == id) {
      AcquireP(pp);
    } else {
      others.push_back(pp);
    }
  }
  for (P* pp : others) PidlePut(pp);
  PidlePut(old);
}

struct Row {
  const char* name;
  int before;
  int own;  // the P of the goroutine that resizes
  int after;
  const char* trace;  // of the resize
  int own_after;
  int idle_after;
  const char* adopted;  // "from>to": whose timers went where
};

TEST(ProcResize, GrowingAndShrinking) {
  const Row rows[] = {
      {"one more", 1, 0, 2, "p0 running>gcstop, p1 dead>gcstop, p0 gcstop>running, p1 gcstop>idle",
       0, 1, ""},
      {"two more", 1, 0, 3,
       "p0 running>gcstop, p1 dead>gcstop, p2 dead>gcstop, p0 gcstop>running, p2 gcstop>idle, "
       "p1 gcstop>idle",
       0, 2, ""},
      {"one less", 2, 0, 1, "p0 running>gcstop, p1 idle>gcstop, p0 gcstop>running, p1 gcstop>dead",
       0, 0, "1>0"},
      {"its own goes", 2, 1, 1,
       "p1 running>gcstop, p0 idle>gcstop, p0 gcstop>idle, p0 idle>running, p1 gcstop>dead", 0, 0,
       "1>0"},
      {"its own stays, two go", 3, 0, 1,
       "p0 running>gcstop, p1 idle>gcstop, p2 idle>gcstop, p0 gcstop>running, p1 gcstop>dead, "
       "p2 gcstop>dead",
       0, 0, "1>0 2>0"},
      {"its own stays and is not the first", 3, 1, 2,
       "p1 running>gcstop, p0 idle>gcstop, p2 idle>gcstop, p1 gcstop>running, p2 gcstop>dead, "
       "p0 gcstop>idle",
       1, 1, "2>1"},
  };
  static std::string adopted;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    {
      World first(3);  // Ps 1 and 2 exist, and are dead for who has fewer
    }
    World w(row.before);
    sched.nmspinning.store(1);  // so that no M is woken for an idle P
    if (row.own != 0) MoveTo(row.own);
    adopted.clear();
    sched_hooks.adopt_timers = [](P* from, P* to) {
      // The world stands, and no P has gone yet.
      EXPECT_TRUE(sched.gcwaiting.load());
      EXPECT_EQ(from->status.load(), uint32_t{kPGcStop});
      EXPECT_EQ(to->status.load(), uint32_t{kPGcStop});
      EXPECT_LT(from->id, gomaxprocs.load());
      if (!adopted.empty()) adopted += ' ';
      adopted += std::to_string(from->id) + '>' + std::to_string(to->id);
    };
    G* gp = w.NewG("g", [&] {
      w.Trace();
      EXPECT_EQ(SetProcs(row.after), row.before);
      EXPECT_EQ(w.Trace(), row.trace);
    });
    w.Resume(gp);
    EXPECT_EQ(adopted, row.adopted);
    EXPECT_EQ(gomaxprocs.load(), row.after);
    EXPECT_EQ(m0.p.load(), w.PAt(row.own_after));
    EXPECT_EQ(sched.npidle.load(), row.idle_after);
    for (int i = 0; i < std::max(row.before, row.after); ++i) {
      P* pp = w.PAt(i);
      const bool lives = i < row.after;
      EXPECT_EQ(pp->status.load() != kPDead, lives);
      EXPECT_EQ(pp->m.load(), i == row.own_after ? &m0 : nullptr);
      EXPECT_EQ(idlep_mask.Read(i), lives && i != row.own_after);
      EXPECT_EQ(pp->mcache != nullptr, lives) << i;
    }
    EXPECT_FALSE(sched.custom_gomaxprocs.load());
  }
}

// What a P has in its queue when it goes, and when it stays.
TEST(ProcResize, WorkIsNotLost) {
  struct WorkRow {
    const char* name;
    int after;
    bool sleeper;        // an M sleeps on the list
    const char* global;  // the queue afterwards; "old" was there before
    bool given;          // P 1 went to an M
  };
  const WorkRow rows[] = {
      {"its P goes: in front of what waits", 1, true, "a, b, old", false},
      {"its P stays: an M that sleeps is woken for it", 2, true, "old", true},
      {"its P stays: a thread is started for it", 2, false, "old", true},
  };
  for (const WorkRow& row : rows) {
    SCOPED_TRACE(row.name);
    World w(3);
    M* sleeper = row.sleeper ? w.NewM(/*sleeping=*/true) : nullptr;
    sched.nmspinning.store(1);  // so that nobody is woken for any other reason
    G* a = w.NewG("a", [] {});
    G* b = w.NewG("b", [] {});
    G* old = w.NewG("old", [] {});
    // Stopped with work in its queue, as a P is whose M stops between two goroutines.
    M* before = w.NewM();
    P* one = w.PAt(1);
    {
      LockGuard l(&sched.lock);
      GlobRunqPut(old);
      std::vector<P*> others;
      while (P* pp = PidleGet()) {
        if (pp != one) others.push_back(pp);
      }
      for (P* pp : others) PidlePut(pp);
    }
    w.As(before, [&] {
      AcquireP(one);
      RunqPutLocal(one, a, false);
      RunqPutLocal(one, b, false);
    });
    w.on_sleep = [&](Note* note) {
      EXPECT_EQ(note, &sched.stopnote);
      // P 1's M stops as GcStopM does.
      w.As(before, [&] {
        ReleaseP();
        LockGuard l(&sched.lock);
        SetPStatus(one, kPGcStop);
        if (--sched.stopwait == 0) sched.stopnote.Wakeup();
      });
    };
    G* gp = w.NewG("g", [&] { SetProcs(row.after); });
    w.Resume(gp);
    EXPECT_EQ(w.DrainGlobal(), row.global);
    EXPECT_EQ(w.DrainLocal(one), row.given ? "a, b" : "");
    P* of_sleeper = sleeper != nullptr ? sleeper->nextp : nullptr;
    EXPECT_EQ(of_sleeper, row.given && row.sleeper ? one : nullptr);
    P* of_thread = w.threads.size() == 1 ? w.threads[0]->nextp : nullptr;
    EXPECT_EQ(of_thread, row.given && !row.sleeper ? one : nullptr);
  }
}

TEST(ProcResize, WhatCountsAsTheProgramsChoice) {
  struct CallRow {
    const char* name;
    int (*call)(int);
    int n;
    int after;
    bool custom;
  };
  const CallRow rows[] = {
      {"GoMaxProcs asks", &GoMaxProcs, 0, 2, false},
      {"GoMaxProcs asks in another way", &GoMaxProcs, -1, 2, false},
      {"GoMaxProcs chooses", &GoMaxProcs, 1, 1, true},
      {"GoMaxProcs chooses what is", &GoMaxProcs, 2, 2, true},
      {"GoMaxProcs chooses more than there can be", &GoMaxProcs, kMaxProcs + 1, kMaxProcs, true},
      {"SetProcs follows", [](int n) { return SetProcs(n); }, 1, 1, false},
      {"SetProcs asks", [](int n) { return SetProcs(n); }, 0, 2, false},
  };
  for (const CallRow& row : rows) {
    SCOPED_TRACE(row.name);
    World w(2);
    G* gp = w.NewG("g", [&] { EXPECT_EQ(row.call(row.n), 2); });
    w.Resume(gp);
    EXPECT_EQ(ReadGStatus(gp), uint32_t{kGDead});
    EXPECT_EQ(gomaxprocs.load(), row.after);
    EXPECT_EQ(sched.custom_gomaxprocs.load(), row.custom);
  }
}

// Following the CPUs takes a while: what the program chooses meanwhile stands.
TEST(ProcResize, AChoiceStandsThatIsMadeWhileTheWorldStopsForTheCpus) {
  World w(2);
  sched.nmspinning.store(1);  // so that nobody is woken for an idle P
  M* other = w.NewM();
  P* one = w.PAt(1);
  {
    LockGuard l(&sched.lock);
    EXPECT_EQ(PidleGet(), one);
  }
  w.As(other, [&] { AcquireP(one); });
  G* thread = w.NewForeign("t");
  w.on_sleep = [&](Note* note) {
    EXPECT_EQ(note, &sched.stopnote);
    w.AsG(thread, [] { EXPECT_EQ(GoMaxProcs(2), 2); });
    w.As(other, [&] {
      ReleaseP();
      LockGuard l(&sched.lock);
      SetPStatus(one, kPGcStop);
      if (--sched.stopwait == 0) sched.stopnote.Wakeup();
    });
  };
  G* gp = w.NewG("g", [] { EXPECT_EQ(SetProcs(1), 2); });
  w.Resume(gp);
  EXPECT_TRUE(sched.custom_gomaxprocs.load());
  EXPECT_EQ(gomaxprocs.load(), 2);
}

// A thread that chooses what is, when another number is about to be, has to ask for it.
TEST(ProcResize, AChoiceStandsThatIsMadeWhileTheWorldStands) {
  World w(2);
  sched.nmspinning.store(1);  // so that nobody is woken for an idle P
  static bool asks;
  asks = false;
  sched_hooks.adopt_timers = [](P*, P*) {
    int32_t old = 0;
    asks = NoteChoice(2, &old);
    EXPECT_EQ(old, 2);
  };
  G* gp = w.NewG("g", [] { EXPECT_EQ(SetProcs(1), 2); });
  w.Resume(gp);
  EXPECT_EQ(gomaxprocs.load(), 1);
  EXPECT_TRUE(asks);
  w.Resume(w.NewG("g", [] { EXPECT_EQ(GoMaxProcs(2), 1); }));
  EXPECT_EQ(gomaxprocs.load(), 2);
}

// A thread has no P to stand on while the others stop: a goroutine resizes for it.
TEST(ProcResize, ForAThreadAGoroutineDoesIt) {
  World w(1);
  G* thread = w.NewForeign("t");
  int sleeps = 0;
  w.on_sleep = [&](Note* note) {
    ++sleeps;
    EXPECT_EQ(note, &thread->m->park);
    w.AsG(&g0, [&] { w.Resume(w.PopGlobal()); });
  };
  w.AsG(thread, [] { EXPECT_EQ(GoMaxProcs(2), 1); });
  EXPECT_EQ(sleeps, 1);
  EXPECT_EQ(gomaxprocs.load(), 2);
}

}  // namespace
}  // namespace gort::rt::testing
