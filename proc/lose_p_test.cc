// proc/lose_p_test.cc: who gets the P of a goroutine that loses it, transition by transition.
// (tests/preempt/bounds_test.cc has programs.)
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>

#include "gort/base/attributes.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/pins.h"
#include "gort/platforms/sigctx.h"
#include "gort/platforms/thread.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/sched_seed.h"
#include "gort/proc/stay.h"
#include "gort/proc/testing/world.h"

namespace gort::rt::testing {
namespace {

// As w->As, on a thread that has not lost its P: all Ms of a World share the test's.
void OnOther(World* w, M* mp, const std::function<void()>& f) {
  const bool lost = PLost();
  SetPLost(false);
  w->As(mp, f);
  SetPLost(lost);
}

void SetMaxMs(int32_t n) {
  LockGuard l(&sched.lock);
  sched.maxmcount = n;
}

// `mp` begins to run with the P that it was given.
void TakeNextP(M* mp) {
  P* pp = mp->nextp;
  mp->nextp = nullptr;
  mp->park.Clear();
  AcquireP(pp);
}

void GiveToWaiter() {
  G* gp;
  {
    LockGuard l(&sched.lock);
    const int32_t before = sched.nmidlelocked;
    gp = TakeWiredWaiter();
    // Between the two locks it is in no queue. The last M to go to sleep would take it for dead.
    EXPECT_EQ(sched.nmidlelocked, before - 1);
  }
  HandToWired(ReleaseP(), gp);
}

void MakeIdle() {
  LockGuard l(&sched.lock);
  PidlePut(ReleaseP());
}

class LosePTest : public ::testing::Test {
 protected:
  LosePTest() : w_(1) {
    StayInit();
    world_max_ = SetMaxThreads(kPlenty);
  }
  ~LosePTest() override { SetMaxMs(world_max_); }

  // Runs body as goroutine "g" of m0, which has the only P, pinned as a signal handler is. At its end
  // the goroutine has the P again.
  void AsGoroutine(const std::function<void(G*)>& body) {
    G* gp = w_.NewG("g", [&] {
      Pinned pinned;
      w_.Trace();
      body(Getg());
      EXPECT_FALSE(PLost());
      EXPECT_EQ(m0.p.load(), p());
      EXPECT_EQ(m0.curg.load(), Getg());
      EXPECT_EQ(Getg()->lockedm, nullptr);
      EXPECT_EQ(Getg()->signal_context, nullptr);
    });
    w_.Resume(gp);
    EXPECT_EQ(ReadGStatus(gp), uint32_t{kGDead});
    EXPECT_EQ(w_.DrainGlobal(), "");
  }

  // Waits in the handler; `meanwhile` runs when g's thread is asleep, and has to wake it.
  void Stay(G* gp, const std::function<void()>& meanwhile) {
    w_.on_sleep = [&](Note* note) {
      EXPECT_EQ(note, &m0.park);
      meanwhile();
    };
    EXPECT_TRUE(StayWithoutP(gp, ctx_));
    w_.on_sleep = nullptr;
  }

  // A goroutine that runs on mp, which shares the thread of the test.
  G* RunningOn(M* mp, const char* name) {
    G* gp = w_.Dummy(name, kGRunning);
    ThreadPins* pins;
    MCache** mcache;
    {
      LockGuard l(&m0.thread_lock);
      pins = m0.pins;
      mcache = m0.mcache;
    }
    {
      LockGuard l(&mp->thread_lock);
      mp->pins = pins;
      mp->mcache = mcache;
    }
    mp->curg.store(gp);
    gp->m = mp;
    return gp;
  }

  // Goroutine "h" runs on `other`, with the P that was handed to that, as if on a thread of its own.
  void RunsOn(M* other, ThreadPins* pins, MCache** mcache) {
    OnOther(&w_, other, [&] {
      TakeNextP(other);
      RunningOn(other, "h");
    });
    LockGuard l(&other->thread_lock);
    other->pins = pins;
    if (mcache != nullptr) other->mcache = mcache;
  }

  // A second goroutine, on `other`, takes the P that waits for that, and gives it away.
  int64_t ExchangesWhenItGives(M* other) {
    const int64_t before = sched.exchanged.load();
    OnOther(&w_, other, [&] {
      TakeNextP(other);
      EXPECT_EQ(GivePAway(RunningOn(other, "h"), nullptr), Gave::kYes);
    });
    return sched.exchanged.load() - before;
  }

  P* p() { return World::PAt(0); }

  static constexpr int32_t kPlenty = 1000;
  World w_;
  ucontext_t interrupted_ = {};
  const SigCtx ctx_{&interrupted_};
  int32_t world_max_ = 0;
};

TEST_F(LosePTest, AnIdleMGetsItAndHandsItBack) {
  M* idle = w_.NewM(true);
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    EXPECT_EQ(w_.Trace(), "g running>syscall, p0 running>idle, g syscall>runnable");
    EXPECT_EQ(idle->nextp, p());
    EXPECT_TRUE(PLost());
    EXPECT_EQ(m0.p.load(), nullptr);
    EXPECT_EQ(m0.curg.load(), nullptr);
    EXPECT_EQ(gp->signal_context, &interrupted_);
    EXPECT_EQ(gp->lockedm, &m0);
    Stay(gp, [&] {
      OnOther(&w_, idle, [&] {
        TakeNextP(idle);
        GiveToWaiter();
      });
    });
    EXPECT_EQ(w_.Trace(), "p0 idle>running, p0 running>idle, p0 idle>running, g runnable>running");
  });
}

TEST_F(LosePTest, WithoutAnMItStays) {
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kNobody);
    EXPECT_EQ(w_.Trace(), "");
    EXPECT_TRUE(TemplateThreadWanted()) << "to make a spare M";
  });
}

TEST_F(LosePTest, OneThatGoesOnWithoutGetsAnIdlePWhenItCallsGort) {
  M* idle = w_.NewM(true);
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, nullptr), Gave::kYes);
    EXPECT_EQ(w_.Trace(), "g running>syscall, p0 running>idle");
    EXPECT_EQ(m0.curg.load(), gp);
    OnOther(&w_, idle, [&] {
      TakeNextP(idle);
      MakeIdle();
    });
    w_.Trace();
    regain_p_hook();
    EXPECT_EQ(w_.Trace(), "p0 idle>running, g syscall>running");
  });
}

TEST_F(LosePTest, OneThatWaitsGetsItBeforeAThreadIsMade) {
  M* other = w_.NewM(true);
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    Stay(gp, [&] {
      OnOther(&w_, other, [&] {
        TakeNextP(other);
        G* second = RunningOn(other, "h");
        w_.Trace();
        const int64_t exchanged = sched.exchanged.load();
        EXPECT_EQ(GivePAway(second, nullptr), Gave::kYes);
        EXPECT_EQ(w_.Trace(), "h running>syscall, p0 running>idle");
        EXPECT_EQ(sched.exchanged.load(), exchanged) << "there is room for more";
      });
      EXPECT_EQ(m0.nextp, p());
      EXPECT_TRUE(m0.park.IsSet());
    });
  });
}

TEST_F(LosePTest, WhoWasToTakeItGoesBackWhenAnotherThreadTookItFirst) {
  M* other = w_.NewM(true);
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    Stay(gp, [&] {
      OnOther(&w_, other, [&] {
        TakeNextP(other);
        G* second = RunningOn(other, "h");
        SetPLost(true);
        EXPECT_EQ(GivePAway(second, nullptr), Gave::kLost) << "the waiter goes back";
        M* idle = w_.NewM(true);
        EXPECT_EQ(GivePAway(second, nullptr), Gave::kLost) << "the idle M goes back";
        EXPECT_EQ(World::IdleMs(), 1);
        EXPECT_EQ(idle->nextp, nullptr);
        SetPLost(false);
        EXPECT_EQ(sched.runqsize.load(), 1);
        GiveToWaiter();
      });
    });
  });
}

// While it was on its way back the P was given up, by an M that found nothing in the queue. Both are
// on the test's thread, so the P is idle from the beginning.
TEST_F(LosePTest, WhoGoesBackTakesAPThatHasBecomeIdle) {
  M* other = w_.NewM(true);
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    Stay(gp, [&] {
      OnOther(&w_, other, [&] {
        TakeNextP(other);
        G* second = RunningOn(other, "h");
        MakeIdle();
        SetPLost(true);
        EXPECT_EQ(GivePAway(second, nullptr), Gave::kLost);
        SetPLost(false);
      });
      EXPECT_EQ(m0.nextp, p());
      EXPECT_TRUE(m0.park.IsSet());
      EXPECT_EQ(sched.runqsize.load(), 0);
    });
  });
}

// A stop of the world cuts off with a seed as well, and what such a one holds the sleeper may wait for.
TEST_F(LosePTest, WithASeedASleeperGivesItToOneThatWaits) {
  if (GORT_TSAN) GTEST_SKIP() << "nothing is taken under ThreadSanitizer";
  M* other = w_.NewM(true);
  M* monitor = w_.NewM();
  ThreadPins pins;
  pins.pins.store(0);
  MCache* mcache = nullptr;
  w_.thread_cpu = [](int) { return 5; };
  w_.asleep = [](int) { return true; };
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    Stay(gp, [&] {
      RunsOn(other, &pins, &mcache);
      other->tid.store(77);
      SetSchedSeed(1);
      w_.As(monitor, [&] { EXPECT_EQ(TakePFromSleeper(p(), 5), Sleeper::kTaken); });
      SetSchedSeed(0);
      EXPECT_EQ(m0.nextp, p());
    });
  });
}

// ---- at the bound ----

// Four threads: one of them may wait.
TEST_F(LosePTest, AtTheBoundItIsExchangedForTheOneThatWaits) {
  M* other = w_.NewM(true);
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    Stay(gp, [&] {
      SetMaxMs(4);
      EXPECT_EQ(ExchangesWhenItGives(other), 1);
      EXPECT_EQ(m0.nextp, p());
      SetMaxMs(kPlenty);
    });
  });
}

TEST_F(LosePTest, AtTheBoundAnIdleMTakesItForOneThatHasNotBegun) {
  M* other = w_.NewM(true);
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    M* idle = w_.NewM(true);
    Stay(gp, [&] {
      SetMaxMs(4);
      EXPECT_EQ(ExchangesWhenItGives(other), 0);
      EXPECT_EQ(idle->nextp, p());
      SetMaxMs(kPlenty);
      OnOther(&w_, idle, [&] {
        TakeNextP(idle);
        GiveToWaiter();
      });
    });
  });
}

// ---- while a scanner holds a goroutine ----

TEST_F(LosePTest, OneThatWaitsGoesOnWithoutWhileAScannerIsWaitedFor) {
  M* other = w_.NewM(true);
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    Stay(gp, [&] {
      OnOther(&w_, other, [&] {
        TakeNextP(other);
        w_.Trace();
        scan_wait_hook();
        scan_wait_hook();  // nobody is left
      });
      EXPECT_EQ(m0.nextp, nullptr);
      EXPECT_TRUE(m0.park.IsSet());
    });
    EXPECT_EQ(w_.Trace(), "g runnable>running, g running>syscall");
    EXPECT_TRUE(PLost());
    EXPECT_EQ(m0.curg.load(), gp);
    EXPECT_EQ(gp->signal_context, nullptr);
    EXPECT_EQ(gp->lockedm, nullptr);
    EXPECT_EQ(sched.runqsize.load(), 0);
    OnOther(&w_, other, [&] { MakeIdle(); });
    regain_p_hook();
  });
}

// ---- while the world is being stopped ----

void EndOfStop(P* pp) {
  LockGuard l(&sched.lock);
  EXPECT_EQ(sched.stopwait, 0);
  sched.gcwaiting.store(false);
  SetPStatus(pp, kPIdle);
  PidlePut(pp);
}

TEST_F(LosePTest, AStopOfTheWorldGetsItOnce) {
  M* idle = w_.NewM(true);
  AsGoroutine([&](G* gp) {
    World::BeginToStop(1);
    EXPECT_EQ(GivePAway(gp, nullptr), Gave::kYes);
    EXPECT_EQ(w_.Trace(), "g running>syscall, p0 running>idle, p0 idle>gcstop");
    EXPECT_EQ(World::ToStop(), 0);
    EXPECT_TRUE(sched.stopnote.IsSet());
    EXPECT_EQ(GivePAway(gp, nullptr), Gave::kLost);
    EXPECT_EQ(World::ToStop(), 0) << "counted twice";
    EXPECT_EQ(World::IdleMs(), 1);
    EXPECT_EQ(idle->nextp, nullptr);
    EndOfStop(p());
    regain_p_hook();
  });
}

// The stop ends between the leaving of the P and the queueing of the goroutine, and everybody sleeps.
TEST_F(LosePTest, WhoIsQueuedAfterTheStopTakesAnIdleP) {
  AsGoroutine([&](G* gp) {
    World::BeginToStop(1);
    w_.Before("g", kGSyscall, kGRunnable,
              [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {  // under sched.lock
                sched.gcwaiting.store(false);
                SetPStatus(p(), kPIdle);
                PidlePut(p());
              });
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    EXPECT_EQ(sched.runqsize.load(), 0);
    EXPECT_EQ(m0.nextp, p());
    EXPECT_TRUE(StayWithoutP(gp, ctx_));
  });
}

// sysmon makes the template thread, and malloc's lock may be what a goroutine holds that is cut off.
TEST_F(LosePTest, NobodyIsCutOffWhileSysmonMaySleepOnALock) {
  static G* self;
  static const SigCtx* ctx;
  static int called;
  called = 0;
  ctx = &ctx_;
  AsGoroutine([](G* gp) {
    self = gp;
    EXPECT_TRUE(WithNobodyWaiting([] {
      ++called;
      EXPECT_EQ(GivePAway(self, ctx), Gave::kNobody);
    }));
    EXPECT_EQ(called, 1);
    EXPECT_EQ(self->signal_context, nullptr);
  });
}

// Both Ps of a program were with reports of goroutines, which waited for the unwinder's lock.
TEST_F(LosePTest, OneThatWaitsGoesOnForAPinnedSleeper) {
  M* other = w_.NewM(true);
  ThreadPins pins;
  AsGoroutine([&](G* gp) {
    EXPECT_EQ(GivePAway(gp, &ctx_), Gave::kYes);
    Stay(gp, [&] {
      RunsOn(other, &pins, nullptr);
      pins.pins.store(0);
      HelpPinned(other);
      EXPECT_FALSE(m0.park.IsSet());
      pins.pins.store(1);
      HelpPinned(other);
      EXPECT_TRUE(m0.park.IsSet());
      EXPECT_EQ(m0.nextp, nullptr);
    });
    EXPECT_TRUE(PLost());
    EXPECT_EQ(gp->signal_context, nullptr);
    OnOther(&w_, other, [&] { MakeIdle(); });
    regain_p_hook();
  });
}

}  // namespace
}  // namespace gort::rt::testing
