// sysmon/sysmon_test.cc: how long sysmon sleeps, what wakes it, and what it does between: the very
// loop, on a clock that moves only when sysmon sleeps.
#include "gort/sysmon/sysmon.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gort/base/godebug.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/status.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/testing/world.h"
#include "gort/stack/internal/stack_alloc.h"
#include "gort/tests/support/child.h"

namespace gort::rt::testing {
namespace {

using gort::testing::ChildResult;
using gort::testing::RunInChild;

constexpr int64_t kUs = 1'000;
constexpr int64_t kMs = 1'000'000;

// Thrown through the loop to end it.
struct Enough {};

// sysmon's loop until `rounds` sleeps have begun; at(i) is called in the i-th, which has lasted.
// The lengths of the sleeps.
std::vector<int64_t> RunSysmon(World* w, size_t rounds, const std::function<void(size_t)>& at) {
  std::vector<int64_t> sleeps;
  w->on_pause = [&](int64_t ns) {
    sleeps.push_back(ns);
    if (sleeps.size() == rounds) throw Enough();
    if (at) at(sleeps.size() - 1);
  };
  M* sysmon = w->NewM();
  w->As(sysmon, [&] {
    try {
      Sysmon();
    } catch (const Enough&) {
    }
  });
  w->on_pause = nullptr;
  return sleeps;
}

// No P is idle, none runs, and nobody stops the world: nothing shortens or ends a sleep.
void NothingToDo(World* w) {
  w->PAt(0)->status.store(kPGcStop);
  w->PAt(0)->m.store(nullptr);
}

TEST(Sysmon, SleepsLongerWhenThereIsNothingToDo) {
  World w(1);
  NothingToDo(&w);
  std::vector<int64_t> want(51, 20 * kUs);
  for (int64_t ns = 40 * kUs; ns < 10 * kMs; ns *= 2) want.push_back(ns);
  want.push_back(10 * kMs);
  want.push_back(10 * kMs);
  want.push_back(10 * kMs);
  EXPECT_EQ(RunSysmon(&w, want.size(), {}), want);
}

TEST(Sysmon, NotesAboutWhatTimeItIs) {
  World w(1);
  NothingToDo(&w);
  sched.coarse_now.store(0);
  RunSysmon(&w, 100, [&w](size_t i) {
    // The callback's sleep is over, and the time of before it was noted when it was due.
    if (i == 0) return;
    EXPECT_LE(w.now - sched.coarse_now.load(), kCoarseNs + 10 * kMs);
  });
}

TEST(Sysmon, BeginsAnewAfterASuccessOrALongRest) {
  struct Row {
    const char* name;
    bool hands_off;   // or else: sleeps deeply
    int64_t rest_ns;  // for so long
    size_t shortest;  // sleeps that follow
  };
  for (const Row& row :
       {Row{"a P is handed off", true, 0, 51}, Row{"a deep sleep", false, 10 * kMs, 50},
        Row{"everybody is idle for a moment", false, 9 * kMs, 0}}) {
    SCOPED_TRACE(row.name);
    World w(1);
    NothingToDo(&w);
    w.NewM(/*sleeping=*/true);
    P* pp = w.PAt(0);
    w.on_timed_sleep = [&](Note* note, int64_t) {
      w.now += row.rest_ns;
      LockGuard l(&sched.lock);
      sched.npidle.store(0);
      sched.sysmonwait.store(false);
      note->Wakeup();
    };
    constexpr size_t kLate = 100;  // it sleeps for 10 ms by then
    std::vector<int64_t> sleeps = RunSysmon(&w, kLate + 60, [&](size_t i) {
      if (i != kLate) return;
      if (row.hands_off) {
        pp->m.store(nullptr);
        pp->sysmon_syscalltick = pp->syscalltick.load();
        pp->status.store(kPSyscall);
      } else {
        sched.npidle.store(1);
      }
    });
    EXPECT_EQ(sleeps[kLate], 10 * kMs);
    std::vector<int64_t> want(row.shortest, 20 * kUs);
    want.push_back(row.shortest != 0 ? 40 * kUs : 10 * kMs);
    sleeps.erase(sleeps.begin(), sleeps.begin() + kLate + 1);
    sleeps.resize(want.size());
    EXPECT_EQ(sleeps, want);
  }
}

TEST(Sysmon, WakesWhenATimeSliceEnds) {
  World w(1);
  m0.curg.store(w.Dummy("g", kGRunning));
  static std::vector<int64_t>* asked_at;
  static World* world;
  std::vector<int64_t> times;
  asked_at = &times;
  world = &w;
  sched_hooks.preempt_m = [](M*) { asked_at->push_back(world->now); };
  int64_t begin = 0;
  RunSysmon(&w, 300, [&](size_t i) {
    // A goroutine begins when the sleeps are long; it never gives way.
    if (i == 100) {
      times.clear();
      begin = w.now;
      w.PAt(0)->schedtick.fetch_add(1);
    }
  });
  ASSERT_GE(times.size(), 3U);
  EXPECT_EQ(times[0] - begin, 10 * kMs);
  // Asked again soon, then every eighth of a slice.
  EXPECT_EQ(times[1] - times[0], 500 * kUs);
  EXPECT_EQ(times[2] - times[1], 500 * kUs);
  EXPECT_EQ(times.back() - times[times.size() - 2], 10 * kMs / 8);
}

// ---- deep sleep ----

int64_t MemoryDelay() { return StackScavengeDebt() > 0 || ScavengeDebt() > 0 ? 1000 * kMs : -1; }

struct DeepRow {
  const char* name;
  std::function<void(World*)> prepare;  // one P, which is idle
  bool sleeps;
  bool woken;
  int64_t limit;  // of the sleep when there is no memory to return; -1: none
};

TEST(Sysmon, SleepsDeeplyWhileEveryPIsIdle) {
  const DeepRow rows[] = {
      {"every P is idle", {}, true, true, -1},
      {"the world is stopped",
       [](World* w) {
         sched.npidle.store(0);
         w->PAt(0)->status.store(kPGcStop);
         sched.gcwaiting.store(true);
       },
       false, false, 0},
      {"a look for a deadlock is due", [](World*) { sched.dead_checks.store(12); }, true, false,
       10 * kMs},
      {"a P is not idle",
       [](World* w) {
         sched.npidle.store(0);
         w->PAt(0)->status.store(kPGcStop);
       },
       false, false, 0},
  };
  for (const DeepRow& row : rows) {
    SCOPED_TRACE(row.name);
    World w(1);
    {
      P* pp = w.PAt(0);
      pp->m.store(nullptr);
      m0.p.store(nullptr);
      pp->status.store(kPIdle);
      sched.npidle.store(1);
    }
    if (row.prepare) row.prepare(&w);
    int deep = 0;
    int64_t limit = -2;
    w.on_timed_sleep = [&](Note* note, int64_t ns) {
      EXPECT_EQ(note, &sched.sysmonnote);
      EXPECT_TRUE(sched.sysmonwait.load());
      if (deep == 0) limit = ns;
      if (++deep == 2) throw Enough();
      if (row.woken) {
        // As WakeSysmonIfWaiting, by a P that leaves the list for a moment.
        LockGuard l(&sched.lock);
        sched.sysmonwait.store(false);
        note->Wakeup();
      }
    };
    const int32_t checks = sched.dead_checks.load();
    std::vector<int64_t> sleeps = RunSysmon(&w, 5, {});
    EXPECT_EQ(deep, row.sleeps ? 2 : 0);
    if (!row.sleeps) continue;
    // After the deep sleep it begins anew.
    EXPECT_EQ(sleeps, std::vector<int64_t>(2, 20 * kUs));
    const int64_t memory = MemoryDelay();
    const bool memory_first = row.limit < 0 || (memory >= 0 && memory < row.limit);
    EXPECT_EQ(limit, memory_first ? memory : row.limit);
    // Not woken: the look was made, and the next one is due later.
    EXPECT_EQ(sched.dead_checks.load(), row.woken ? checks : checks - 1);
  }
}

// ---- polling ----

struct PollRow {
  const char* name;
  bool poller;
  uint32_t waiters;
  int64_t last_ago;  // the last poll, at the look; negative: somebody polls now
  bool polls;
};

TEST(Sysmon, PollsWhenNobodyDid) {
  const PollRow rows[] = {
      {"nobody did for 10 ms", true, 1, 10 * kMs + 1, true},
      {"somebody did just now", true, 1, 10 * kMs, false},
      {"somebody does", true, 1, -1, false},
      {"nobody waits", true, 0, 100 * kMs, false},
      {"no poller", false, 1, 100 * kMs, false},
  };
  static G* ready;
  static int polls;
  for (const PollRow& row : rows) {
    SCOPED_TRACE(row.name);
    World w(1);
    NothingToDo(&w);
    polls = 0;
    ready = w.NewG("g", [] { GoPark(nullptr, nullptr, WaitReason::kSleep); });
    w.PAt(0)->status.store(kPRunning);
    w.Resume(ready);
    NothingToDo(&w);
    sched_hooks.netpoll_inited = row.poller;
    sched.netpoll_waiters.store(row.waiters);
    sched_hooks.netpoll = [](int64_t delay) {
      EXPECT_EQ(delay, 0);
      // Not yet in a queue, and no deadlock all the same.
      LockGuard l(&sched.lock);
      EXPECT_EQ(sched.nmidlelocked, -1);
      GList list;
      if (++polls == 1) list.Push(ready);
      return list;
    };
    RunSysmon(&w, 2,
              [&](size_t) { sched.lastpoll.store(row.last_ago < 0 ? 0 : w.now - row.last_ago); });
    EXPECT_EQ(polls, row.polls ? 1 : 0);
    EXPECT_EQ(w.DrainGlobal(), row.polls ? "g" : "");
    if (row.polls) {
      EXPECT_EQ(sched.lastpoll.load(), w.now - 20 * kUs);
    }
    LockGuard l(&sched.lock);
    EXPECT_EQ(sched.nmidlelocked, 0);
  }
}

// ---- the SCHED line ----

TEST(Sysmon, PrintsTheStateAtEachPeriod) {
  struct Row {
    int64_t schedtrace;
    int lines;  // in 3.5 seconds
  };
  for (const Row& row : {Row{0, 0}, Row{1000, 4}, Row{500, 7}}) {
    SCOPED_TRACE(row.schedtrace);
    ChildResult r = RunInChild([&] {
      World w(1);
      NothingToDo(&w);
      godebug.schedtrace = row.schedtrace;
      M* sysmon = w.NewM();
      w.on_pause = [&](int64_t) {
        if (w.now - World::kStart >= 3500 * kMs) throw Enough();
      };
      w.As(sysmon, [] {
        try {
          Sysmon();
        } catch (const Enough&) {
        }
      });
    });
    EXPECT_EQ(r.status, 0) << r.output;
    int lines = 0;
    for (size_t at = r.output.find("SCHED "); at != std::string::npos;
         at = r.output.find("SCHED ", at + 1)) {
      ++lines;
    }
    EXPECT_EQ(lines, row.lines) << r.output;
  }
}

}  // namespace
}  // namespace gort::rt::testing
