// The timers without a scheduler: Ps that nobody runs, this thread as a foreign one, and a clock
// that is a number.
#include "gort/timer/internal/timers.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/timer/internal/timer_heap.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
constinit P ps[2];
#if GORT_ASAN || GORT_TSAN
constexpr int kMany = 200'000;
#else
constexpr int kMany = 2'000'000;
#endif

struct Probe : Timer {
  Probe() : Timer(&Fired) {
    release = [](Timer* t) { *static_cast<Probe*>(t)->freed = true; };
  }
  static G* Fired(Timer* t, uint32_t seq, int64_t when) {
    auto* p = static_cast<Probe*>(t);
    ++p->fired;
    p->fired_seq = seq;
    p->fired_when = when;
    if (p->log != nullptr) p->log->push_back(p);
    return nullptr;
  }
  int fired = 0;
  uint32_t fired_seq = 0;
  int64_t fired_when = -1;
  std::vector<Probe*>* log = nullptr;
  int64_t due = 0;  // the test's own note
  std::shared_ptr<std::atomic<bool>> freed = std::make_shared<std::atomic<bool>>(false);
};

class Timers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (int i = 0; i < 2; ++i) {
      ps[i].id = i;
      allp[i].store(&ps[i]);
    }
    TimersInstall();
  }
  void TearDown() override {
    for (P& p : ps) {
      EXPECT_EQ(p.num_timers.load(), 0);
      EXPECT_EQ(p.timer0_when.load(), 0);
      EXPECT_EQ(Entries(&p), 0);
    }
  }
  static size_t Entries(P* p) ABSL_NO_THREAD_SAFETY_ANALYSIS { return TimerHeapOf(p)->heap.size(); }
  static size_t Capacity(P* p) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return TimerHeapOf(p)->heap.capacity();
  }
  static bool Valid(P* p) ABSL_NO_THREAD_SAFETY_ANALYSIS { return TimerHeapOf(p)->heap.Valid(); }
  // Takes sleepers out of a heap that has nothing else, in order.
  static std::vector<G*> DropSleepers(P* p) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    TimerHeap* ts = TimerHeapOf(p);
    std::vector<G*> sleepers;
    for (; !ts->heap.empty(); ts->heap.PopTop()) {
      char* entry = reinterpret_cast<char*>(ts->heap.top().timer);
      sleepers.push_back(reinterpret_cast<G*>(entry - 1));
    }
    ts->live = 0;
    Probe last;  // publishes
    TimerReset(&last, 1, 0);
    TimerStop(&last);
    return sleepers;
  }
  // Runs what is due; true when something was.
  static bool Check(int64_t now, P* p = &ps[0]) {
    bool ran = false;
    int64_t next = sched_hooks.check_timers(p, now, &ran);
    EXPECT_EQ(next, p->timer0_when.load());
    EXPECT_TRUE(next == 0 || next > now);
    return ran;
  }
};

TEST_F(Timers, FiresOnceWhenDue) {
  Probe t;
  EXPECT_FALSE(TimerReset(&t, 100, 0));
  EXPECT_EQ(ps[0].timer0_when.load(), 100);
  EXPECT_EQ(ps[0].num_timers.load(), 1);
  EXPECT_FALSE(Check(99));
  EXPECT_EQ(t.fired, 0);
  EXPECT_TRUE(Check(107));
  EXPECT_EQ(t.fired, 1);
  EXPECT_EQ(t.fired_when, 100);
  EXPECT_EQ(t.fired_seq, t.seq);
  EXPECT_FALSE(Check(kForever - 1));
  EXPECT_FALSE(TimerStop(&t));
}

TEST_F(Timers, StopTellsWhetherItWasArmed) {
  Probe t;
  EXPECT_FALSE(TimerStop(&t));
  TimerReset(&t, 100, 0);
  EXPECT_TRUE(TimerStop(&t));
  EXPECT_FALSE(TimerStop(&t));
  EXPECT_FALSE(Check(1000));
  EXPECT_EQ(t.fired, 0);
}

TEST_F(Timers, TakenUntilTheNextChange) {
  Probe t;
  bool taken = true;
  TimerReset(&t, 100, 0, &taken);
  EXPECT_FALSE(taken);
  Check(100);
  EXPECT_FALSE(TimerStop(&t, &taken));
  EXPECT_TRUE(taken);
  EXPECT_FALSE(TimerStop(&t, &taken));
  EXPECT_FALSE(taken);
}

TEST_F(Timers, ResetMovesBothWays) {
  Probe t;
  TimerReset(&t, 100, 0);
  EXPECT_TRUE(TimerReset(&t, 50, 0));
  EXPECT_EQ(ps[0].timer0_when.load(), 50);
  EXPECT_TRUE(TimerReset(&t, 200, 0));
  EXPECT_EQ(ps[0].timer0_when.load(), 200);
  EXPECT_FALSE(Check(199));
  EXPECT_TRUE(Check(200));
  EXPECT_EQ(t.fired, 1);
}

TEST_F(Timers, StoppedAndStartedAgainUsesItsEntry) {
  Probe first, t;
  TimerReset(&first, 10, 0);
  TimerReset(&t, 100, 0);
  TimerReset(&first, 20, 0);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(TimerStop(&t));
    EXPECT_FALSE(TimerReset(&t, 200 + i, 0));
  }
  EXPECT_LE(Entries(&ps[0]), 3);
  EXPECT_TRUE(Check(20));
  EXPECT_FALSE(Check(1198));
  EXPECT_TRUE(Check(1199));
  EXPECT_EQ(t.fired, 1);
}

TEST_F(Timers, EarliestIsExactAfterStop) {
  Probe a, b;
  TimerReset(&a, 100, 0);
  TimerReset(&b, 200, 0);
  TimerStop(&a);
  EXPECT_EQ(ps[0].timer0_when.load(), 200);
  EXPECT_EQ(ps[0].num_timers.load(), 1);
  TimerStop(&b);
}

TEST_F(Timers, PeriodKeepsItsPhaseAndSkipsWhatPassed) {
  Probe t;
  TimerReset(&t, 100, 10);
  EXPECT_TRUE(Check(100));
  EXPECT_EQ(ps[0].timer0_when.load(), 110);
  EXPECT_TRUE(Check(145));
  EXPECT_EQ(t.fired, 2);
  EXPECT_EQ(t.fired_when, 110);
  EXPECT_EQ(ps[0].timer0_when.load(), 150);
  EXPECT_TRUE(TimerStop(&t));
}

TEST_F(Timers, ExtremeTimes) {
  Probe never, soon, tick;
  TimerReset(&never, kForever, 0);
  TimerReset(&soon, 1, 0);
  TimerReset(&tick, 5, kForever);
  EXPECT_TRUE(Check(1));
  EXPECT_TRUE(Check(5));
  EXPECT_FALSE(Check(kForever - 1));
  EXPECT_EQ(never.fired, 0);
  EXPECT_EQ(tick.fired, 1);
  EXPECT_TRUE(TimerStop(&never));
  EXPECT_TRUE(TimerStop(&tick));
  EXPECT_GE(TimerWhen(-5), 1);
  EXPECT_EQ(TimerWhen(kForever), kForever);
  EXPECT_LT(TimerWhen(1'000'000'000), kForever);
}

TEST_F(Timers, RunsInOrderOfTime) {
  std::vector<Probe*> log;
  std::vector<std::unique_ptr<Probe>> all;
  FastRand rand(7);
  for (int i = 0; i < 1000; ++i) {
    all.push_back(std::make_unique<Probe>());
    all.back()->log = &log;
    all.back()->due = 1 + rand.N(500);
    TimerReset(all.back().get(), all.back()->due, 0);
  }
  EXPECT_TRUE(Check(500));
  ASSERT_EQ(log.size(), 1000);
  EXPECT_TRUE(
      std::is_sorted(log.begin(), log.end(), [](Probe* a, Probe* b) { return a->due < b->due; }));
}

TEST_F(Timers, MemoryStaysBoundedWhenTimersAreMadeAndStopped) {
  constexpr int kAtOnce = 1000;
  constexpr int64_t kHour = 3'600'000'000'000;
  Probe first;
  TimerReset(&first, 1, 0);  // so that nothing else is the top
  std::vector<std::unique_ptr<Probe>> window;
  for (int i = 0; i < kAtOnce; ++i) window.push_back(std::make_unique<Probe>());
  FastRand rand(3);
  size_t most = 0;
  for (int i = 0; i < kMany; ++i) {
    Probe* t = window[rand.N(kAtOnce)].get();
    TimerStop(t);
    TimerReset(t, kHour + rand.N(1'000'000'000), 0);
    most = std::max(most, Entries(&ps[0]));
  }
  EXPECT_LE(most, 2 * kAtOnce + 66);
  EXPECT_LE(Capacity(&ps[0]), 8 * kAtOnce + 4096);
  for (auto& t : window) TimerStop(t.get());
  EXPECT_LE(Entries(&ps[0]), 66);
  TimerStop(&first);
}

TEST_F(Timers, MakeAndStopAtOnceLeavesNothing) {
  Probe first;
  TimerReset(&first, 1, 0);
  for (int i = 0; i < kMany; ++i) {
    Probe t;
    TimerReset(&t, 1'000'000 + i, 0);
    EXPECT_TRUE(TimerStop(&t));
    ASSERT_EQ(t.n_entries, 0);  // or it could not be on this stack
    ASSERT_EQ(t.refs.load(), 1);
  }
  EXPECT_EQ(Entries(&ps[0]), 1);
  TimerStop(&first);
}

TEST_F(Timers, ReleasedWhenTheLastOfOwnerAndHeapLetsGo) {
  Probe first;
  TimerReset(&first, 1, 0);
  auto* t = new Probe;
  auto* last = new Probe;
  auto t_freed = t->freed;
  auto last_freed = last->freed;
  TimerReset(t, 100, 0);
  TimerReset(last, 200, 0);  // t is neither first nor last: its entry stays when it is stopped
  TimerStop(t);
  EXPECT_EQ(Entries(&ps[0]), 3);
  TimerUnref(t);
  EXPECT_FALSE(*t_freed);
  TimerUnref(last);
  EXPECT_FALSE(*last_freed);
  Check(1);
  EXPECT_TRUE(*t_freed);  // it came to the top, where it was seen to be stopped
  EXPECT_FALSE(*last_freed);
  Check(200);
  EXPECT_TRUE(*last_freed);
  delete t;
  delete last;
}

TEST_F(Timers, AdoptMovesEverything) {
  Probe a, b, stopped, earlier;
  TimerReset(&a, 100, 0);
  TimerReset(&b, 50, 0);
  TimerReset(&stopped, 70, 0);
  TimerReset(&earlier, 90, 0);
  TimerReset(&earlier, 60, 0);
  TimerStop(&stopped);
  AdoptTimers(&ps[0], &ps[1]);
  EXPECT_EQ(ps[0].num_timers.load(), 0);
  EXPECT_EQ(ps[0].timer0_when.load(), 0);
  EXPECT_EQ(ps[1].num_timers.load(), 3);
  EXPECT_EQ(ps[1].timer0_when.load(), 50);
  EXPECT_EQ(Entries(&ps[1]), 3);
  EXPECT_TRUE(TimerStop(&a));
  EXPECT_FALSE(TimerReset(&stopped, 40, 0));  // no entry: goes to this thread's heap
  EXPECT_EQ(ps[0].timer0_when.load(), 40);
  EXPECT_TRUE(TimerReset(&b, 80, 0));  // stays where its entry is
  EXPECT_EQ(ps[1].timer0_when.load(), 60);
  EXPECT_TRUE(Check(100, &ps[0]));
  EXPECT_TRUE(Check(100, &ps[1]));
  EXPECT_EQ(stopped.fired, 1);
  EXPECT_EQ(b.fired, 1);
  EXPECT_EQ(earlier.fired, 1);
  EXPECT_EQ(a.fired, 0);
  AdoptTimers(&ps[0], &ps[1]);
}

// Sleepers among timers that are stopped, swept, adopted. No goroutine is made runnable here.
TEST_F(Timers, SleepersStayWhileTimersComeAndGo) {
  G sleepers[3];
  Probe a, b;
  TimerSleep(nullptr, &sleepers[0], 30);
  TimerStart(&a, 20, 0);
  TimerSleep(nullptr, &sleepers[1], 10);
  EXPECT_FALSE(TimerReset(&b, 40, 0));
  TimerSleep(nullptr, &sleepers[2], 50);
  EXPECT_EQ(ps[0].timer0_when.load(), 10);
  EXPECT_EQ(ps[0].num_timers.load(), 5);
  EXPECT_TRUE(TimerStop(&a));
  AdoptTimers(&ps[0], &ps[1]);  // sweeps
  EXPECT_EQ(Entries(&ps[1]), 4);
  EXPECT_EQ(ps[1].timer0_when.load(), 10);
  EXPECT_TRUE(TimerStop(&b));
  EXPECT_EQ(ps[1].num_timers.load(), 3);
  AdoptTimers(&ps[1], &ps[0]);
  EXPECT_EQ(DropSleepers(&ps[0]), (std::vector<G*>{&sleepers[1], &sleepers[0], &sleepers[2]}));
}

// Random Reset, Stop and time against a simple model.
class AgainstModel : public Timers, public testing::WithParamInterface<uint64_t> {};

TEST_P(AgainstModel, FiresExactlyWhatTheModelFires) {
  constexpr int kTimers = 200;
  FastRand rand(GetParam());
  std::vector<std::unique_ptr<Probe>> t;
  std::vector<int64_t> when(kTimers, 0), period(kTimers, 0);
  std::vector<int> fired(kTimers, 0);
  for (int i = 0; i < kTimers; ++i) t.push_back(std::make_unique<Probe>());
  int64_t now = 1000;
  P* home = &ps[0];
  auto check = [&] {
    Check(now, &ps[0]);
    Check(now, &ps[1]);
    int live = 0;
    int64_t next = 0;
    for (int i = 0; i < kTimers; ++i) {
      if (when[i] != 0 && when[i] <= now) {
        ++fired[i];
        when[i] = period[i] > 0 ? when[i] + ((now - when[i]) / period[i] + 1) * period[i] : 0;
      }
      ASSERT_EQ(t[i]->fired, fired[i]) << i;
      if (when[i] == 0) continue;
      ++live;
      next = next == 0 ? when[i] : std::min(next, when[i]);
    }
    ASSERT_EQ(ps[0].num_timers.load() + ps[1].num_timers.load(), live);
    int64_t n0 = ps[0].timer0_when.load(), n1 = ps[1].timer0_when.load();
    ASSERT_EQ(n0 == 0 ? n1 : n1 == 0 ? n0 : std::min(n0, n1), next);
    ASSERT_TRUE(Valid(&ps[0]) && Valid(&ps[1]));
  };
  for (int step = 0; step < 30'000; ++step) {
    int i = static_cast<int>(rand.N(kTimers));
    uint32_t op = rand.N(100);
    if (op < 60) {
      int64_t w = now + 1 + rand.N(GetParam() % 2 == 0 ? 5 : 5000);
      int64_t p = rand.N(8) == 0 ? 1 + rand.N(100) : 0;
      ASSERT_EQ(TimerReset(t[i].get(), w, p), when[i] != 0);
      when[i] = w;
      period[i] = p;
    } else if (op < 85) {
      ASSERT_EQ(TimerStop(t[i].get()), when[i] != 0);
      when[i] = 0;
    } else if (op < 99) {
      now += rand.N(100);
      check();
    } else {
      P* to = home == &ps[0] ? &ps[1] : &ps[0];
      AdoptTimers(home, to);
      AdoptTimers(to, home);
    }
    if (HasFatalFailure()) return;
  }
  for (auto& x : t) TimerStop(x.get());
  now = kForever - 1;
  Check(now, &ps[0]);
  Check(now, &ps[1]);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AgainstModel, testing::Range<uint64_t>(1, 9));

// Several threads change the same timers while another runs them and their heap moves to and fro.
TEST_F(Timers, ThreadsRace) {
  constexpr int kTimers = 64;
  constexpr int kThreads = 3;
  constexpr int kRounds = 30'000;
  struct Counter : Timer {
    Counter()
        : Timer([](Timer* t, uint32_t, int64_t) {
            static_cast<Counter*>(t)->fired.fetch_add(1);
            return static_cast<G*>(nullptr);
          }) {
      release = [](Timer*) {};
    }
    std::atomic<int64_t> fired{0};
    std::atomic<int64_t> armed{0};     // resets that armed it
    std::atomic<int64_t> disarmed{0};  // resets and stops that found it armed
  };
  std::vector<std::unique_ptr<Counter>> t;
  for (int i = 0; i < kTimers; ++i) t.push_back(std::make_unique<Counter>());
  std::atomic<int64_t> now{1};
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int k = 0; k < kThreads; ++k) {
    threads.emplace_back([&, k] {
      FastRand rand(static_cast<uint64_t>(k) + 11);
      for (int r = 0; r < kRounds; ++r) {
        Counter* c = t[rand.N(kTimers)].get();
        if (rand.N(3) == 0) {
          if (TimerStop(c)) c->disarmed.fetch_add(1);
        } else {
          c->armed.fetch_add(1);
          if (TimerReset(c, now.load() + 1 + rand.N(50), 0)) c->disarmed.fetch_add(1);
        }
      }
      running.fetch_sub(1);
    });
  }
  while (running.load() > 0) {
    bool ran;
    const int64_t at = now.fetch_add(5) + 5;
    CheckTimers(&ps[0], at, &ran);
    CheckTimers(&ps[1], at, &ran);
    AdoptTimers(&ps[0], &ps[1]);
  }
  for (auto& th : threads) th.join();
  bool ran;
  CheckTimers(&ps[0], kForever - 1, &ran);
  CheckTimers(&ps[1], kForever - 1, &ran);
  for (auto& c : t) EXPECT_EQ(c->fired.load() + c->disarmed.load(), c->armed.load());
}

}  // namespace
}  // namespace gort::rt
