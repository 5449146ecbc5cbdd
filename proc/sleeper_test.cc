// proc/sleeper_test.cc: what is taken from goroutines whose threads sleep in the kernel.
#include <gtest/gtest.h>

#include <functional>

#include "gort/base/attributes.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/pins.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/proc.h"
#include "gort/proc/stay.h"
#include "gort/proc/testing/world.h"

namespace gort::rt::testing {
namespace {

// P 1 belongs to an M of its own, whose goroutine "s" sleeps in the kernel.
struct Asleep {
  World w{2};
  bool barrier;
  M* monitor = w.NewM();
  M* idle = w.NewM(true);
  M* mp = w.NewM();
  G* gp = w.Dummy("s", kGRunning);
  ThreadPins pins;
  MCache* mcache = nullptr;

  explicit Asleep(bool has_barrier) : barrier(has_barrier) {
    w.has_barrier = barrier;
    StayInit();
    w.As(mp, [&] {
      P* mine;
      {
        LockGuard l(&sched.lock);
        mine = PidleGet();
      }
      AcquireP(mine);
    });
    mcache = p()->mcache;
    pins.pins.store(0);
    mp->tid.store(77);
    mp->pins = &pins;
    mp->mcache = &mcache;
    mp->curg.store(gp);
    gp->m = mp;
    w.thread_cpu = [](int tid) { return tid == 77 ? kCpu : -1; };
    w.asleep = [](int tid) { return tid == 77; };
    w.Trace();
  }

  Sleeper Take(int64_t cpu_before = kCpu) {
    Sleeper result = Sleeper::kAwake;
    w.As(monitor, [&] { result = TakePFromSleeper(p(), cpu_before); });
    return result;
  }

  static P* p() { return World::PAt(1); }
  static constexpr int64_t kCpu = 5;
};

// With a barrier on all threads, and without.
class TakePFromSleeperTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GORT_TSAN) GTEST_SKIP() << "nothing is taken under ThreadSanitizer";
  }
};
INSTANTIATE_TEST_SUITE_P(Barrier, TakePFromSleeperTest, ::testing::Bool());

TEST_P(TakePFromSleeperTest, GivesItToAnIdleM) {
  Asleep a(GetParam());
  EXPECT_EQ(a.Take(), Sleeper::kTaken);
  EXPECT_EQ(a.w.Trace(), "s running>syscall, p1 running>idle");
  EXPECT_EQ(a.idle->nextp, a.p());
  EXPECT_EQ(a.pins.lost.load(), 1);
  EXPECT_EQ(a.mcache, nullptr);
  EXPECT_EQ(a.mp->p.load(), nullptr);
  EXPECT_EQ(a.p()->m.load(), nullptr);
  EXPECT_EQ(a.Take(), Sleeper::kAwake) << "it has no M any more";
}

TEST_P(TakePFromSleeperTest, WithoutAnMItStays) {
  Asleep a(GetParam());
  {
    LockGuard l(&sched.lock);
    EXPECT_EQ(MGet(), a.idle);
  }
  EXPECT_EQ(a.Take(), Sleeper::kLater);
  EXPECT_EQ(a.w.Trace(), "");
  EXPECT_EQ(a.pins.lost.load(), 0);
}

TEST_P(TakePFromSleeperTest, LeavesWhatIsNotAsleepInTheProgramsCode) {
  struct Row {
    const char* what;
    std::function<void(Asleep*)> set;
    Sleeper answer;
  };
  const Row rows[] = {
      {"it has used its CPU", [](Asleep* a) { a->w.thread_cpu = [](int) { return 6; }; },
       Sleeper::kAwake},
      {"it runs", [](Asleep* a) { a->w.asleep = [](int) { return false; }; }, Sleeper::kAwake},
      {"its thread is gone", [](Asleep* a) { a->mp->tid.store(0); }, Sleeper::kAwake},
      {"pinned", [](Asleep* a) { a->pins.pins.store(1); }, Sleeper::kLater},
      {"holds a runtime lock", [](Asleep* a) { a->pins.locks.store(1); }, Sleeper::kLater},
      {"holds its M", [](Asleep* a) { a->mp->locks = 1; }, Sleeper::kLater},
      {"writes a report", [](Asleep* a) { a->mp->dying.store(1); }, Sleeper::kLater},
      {"on its way to another state", [](Asleep* a) { a->gp->atomicstatus.store(kGWaiting); },
       Sleeper::kLater},
      {"runs no goroutine", [](Asleep* a) { a->mp->curg.store(nullptr); }, Sleeper::kLater},
      {"its thread is about to end",
       [](Asleep* a) {
         LockGuard l(&a->mp->thread_lock);
         a->mp->pins = nullptr;
       },
       Sleeper::kLater},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    Asleep a(GetParam());
    row.set(&a);
    EXPECT_EQ(a.Take(), row.answer);
    EXPECT_EQ(a.w.Trace(), "");
    EXPECT_EQ(a.mp->p.load(), a.p());
    EXPECT_EQ(a.p()->m.load(), a.mp);
    EXPECT_EQ(a.pins.lost.load(), 0);
    EXPECT_EQ(a.mcache, a.p()->mcache);
    EXPECT_EQ(a.idle->nextp, nullptr);
    EXPECT_EQ(World::IdleMs(), 1);
  }
}

TEST(TakePFromSleeper, WithoutABarrierTheThreadMustHaveSleptOn) {
  if (GORT_TSAN) GTEST_SKIP() << "nothing is taken under ThreadSanitizer";
  for (const bool asleep_again : {false, true}) {
    Asleep a(false);
    bool lost_seen = false;
    // It wakes just before the second look, and may have missed that the P is about to be taken.
    a.w.asleep = [&](int) {
      lost_seen = a.pins.lost.load() != 0;
      return !lost_seen || asleep_again;
    };
    a.w.thread_cpu = [&](int) { return lost_seen ? Asleep::kCpu + 1 : Asleep::kCpu; };
    EXPECT_EQ(a.Take(), Sleeper::kLater);
    EXPECT_TRUE(lost_seen);
    EXPECT_EQ(a.w.Trace(), "");
    EXPECT_EQ(a.mp->p.load(), a.p());
    EXPECT_EQ(a.pins.lost.load(), 0);
    EXPECT_EQ(World::IdleMs(), 1);
  }
}

// It has run on for 2 ms since it was signalled.
TEST_P(TakePFromSleeperTest, TakesItFromAThreadThatAnswersNoSignal) {
  struct Row {
    const char* what;
    std::function<void(Asleep*)> set;
    Sleeper answer;
  };
  const bool barrier = GetParam();
  const Row rows[] = {
      {"it computes", [](Asleep*) {}, barrier ? Sleeper::kTaken : Sleeper::kAwake},
      {"it was not signalled", [](Asleep* a) { a->mp->signal_pending.store(0); }, Sleeper::kAwake},
      {"a moment ago", [](Asleep* a) { a->mp->signal_cpu.store(1'900'000); }, Sleeper::kAwake},
      {"in gort's code", [](Asleep* a) { a->pins.pins.store(1); }, Sleeper::kAwake},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    Asleep a(barrier);
    a.w.thread_cpu = [](int) { return 2'000'000; };
    a.w.asleep = [](int) { return false; };
    a.mp->signal_pending.store(1);
    row.set(&a);
    EXPECT_EQ(a.Take(), row.answer);
    EXPECT_EQ(a.pins.lost.load(), row.answer == Sleeper::kTaken ? 1 : 0);
    EXPECT_EQ(a.mp->p.load(), row.answer == Sleeper::kTaken ? nullptr : a.p());
  }
}

TEST_P(TakePFromSleeperTest, AStopOfTheWorldGetsItOnce) {
  Asleep a(GetParam());
  World::BeginToStop(1);
  a.pins.pins.store(1);
  EXPECT_EQ(a.Take(), Sleeper::kLater);
  EXPECT_EQ(World::ToStop(), 1);
  a.pins.pins.store(0);
  EXPECT_EQ(a.Take(), Sleeper::kTaken);
  EXPECT_EQ(a.w.Trace(), "s running>syscall, p1 running>idle, p1 idle>gcstop");
  EXPECT_EQ(World::ToStop(), 0);
  EXPECT_TRUE(sched.stopnote.IsSet());
  EXPECT_EQ(a.Take(), Sleeper::kAwake);
  EXPECT_EQ(World::ToStop(), 0) << "counted twice";
  EXPECT_EQ(a.idle->nextp, nullptr);
}

}  // namespace
}  // namespace gort::rt::testing
