// The wake-up protocol of the scheduler (README.md here), on the product's run queue and P mask: no
// G stays in a queue while a P is idle and every M sleeps. The scheduler around them is a miniature
// with the same steps; each of its mutants must be found.
#include <cstdint>
#include <functional>
#include <iostream>
#include <vector>

#include "gort/base/atomics.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/p.h"
#include "gort/proc/p_mask.h"
#include "gort/proc/runq.h"
#include "gort/tests/model/model.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

enum class Mistake {
  kNone,
  kNoPublish,           // submitter: no StoreLoad barrier
  kCheckBeforeDrop,     // parker: looks at the queues before it drops nmspinning
  kRelaxedDrop,         // parker: drops nmspinning with release only
  kNoWakeFromSpinning,  // a spinning M that finds work does not pass the spinning on
  kNoWakeAtAll,         // submitter: forgets wakep
};
Mistake mistake;

constexpr int kPs = 3;  // the submitter's and two for Ms
constexpr int kMaxGs = 3;

// An M without its thread. An M that sleeps from the start stands for one that startm creates when
// all others are on their way to sleep: giving up then would lose a wake-up.
struct TestM {
  model::Event note;
  int p = -1;
  bool spinning = false;
};

class TestSched {
 public:
  TestSched() {
    nmspinning_.SetName("nmspinning");
    npidle_.SetName("npidle");
    for (int i = 0; i < kPs; i++) p_[i].id = i;
  }

  // Before the threads start: P `p` is idle / M mp sleeps / M mp spins on P `p`.
  void AddIdleP(int p) {
    model::LockScope scope(&lock_);
    PIdlePut(p);
  }
  void AddIdleM(TestM* mp) { midle_.push_back(mp); }
  void AddSpinningM(TestM* mp, int p) {
    mp->p = p;
    mp->spinning = true;
    nmspinning_.fetch_add(1);
  }

  // Submitter, steps S1 to S3, on P `p`. body is what running the G means.
  void Submit(int p, int g, std::function<void()> body, bool next) {
    bodies_[g] = std::move(body);
    GQueue overflow;
    int32_t n = 0;
    model::Check(RunqPut(&p_[p], &gs_[g], next, &overflow, &n), "the ring has room");
    if (mistake != Mistake::kNoPublish) RunqPublish(&p_[p]);
    if (mistake != Mistake::kNoWakeAtAll) WakeP();
  }

  // The life of an M: find, run, park.
  void MLoop(TestM* mp, bool starts_asleep) {
    if (starts_asleep) mp->note.Wait();
    for (;;) {
      if (G* gp = FindRunnable(mp)) {
        if (mp->spinning) ResetSpinning(mp);
        Run(gp);
      } else {
        StopM(mp);
      }
    }
  }

 private:
  void WakeP() {
    if (npidle_.load() == 0) return;
    int32_t none = 0;
    if (nmspinning_.load() != 0 || !nmspinning_.compare_exchange_strong(none, 1)) return;
    TestM* mp = nullptr;
    {
      model::LockScope scope(&lock_);
      const int p = PIdleGet();
      if (p >= 0) {
        model::Check(!midle_.empty(), "the test has too few spare Ms");
        mp = midle_.back();
        midle_.pop_back();
        mp->p = p;  // the hand-over: nextp
        mp->spinning = true;
      }
    }
    if (mp == nullptr) {
      nmspinning_.fetch_sub(1);
    } else {
      mp->note.Signal();
    }
  }

  void ResetSpinning(TestM* mp) {
    mp->spinning = false;
    const int32_t before = nmspinning_.fetch_sub(1);
    model::Check(before > 0, "negative nmspinning");
    if (before == 1 && mistake != Mistake::kNoWakeFromSpinning) WakeP();
  }

  // A G to run, or null: then mp has no P and must stop.
  G* FindRunnable(TestM* mp) {
    for (;;) {
      P* pp = &p_[mp->p];
      bool inherit_time;
      if (G* gp = RunqGet(pp, &inherit_time)) return gp;
      if (!mp->spinning) {
        mp->spinning = true;
        nmspinning_.fetch_add(1);
      }
      for (int i = 0; i < kPs; i++) {
        if (i == mp->p || idlep_.Read(i)) continue;
        if (G* gp = RunqSteal(pp, &p_[i], true)) return gp;
      }
      const bool seen_before = mistake == Mistake::kCheckBeforeDrop && AnyWork();
      {
        model::LockScope scope(&lock_);
        PIdlePut(mp->p);
        mp->p = -1;
      }
      mp->spinning = false;
      nmspinning_.fetch_sub(1, mistake == Mistake::kRelaxedDrop ? std::memory_order_release
                                                                : std::memory_order_seq_cst);
      if (!(mistake == Mistake::kCheckBeforeDrop ? seen_before : AnyWork())) return nullptr;
      {
        model::LockScope scope(&lock_);
        mp->p = PIdleGet();
      }
      if (mp->p < 0) return nullptr;
      mp->spinning = true;
      nmspinning_.fetch_add(1);
    }
  }

  // Go: checkRunqsNoP.
  bool AnyWork() const {
    for (int i = 0; i < kPs; i++) {
      if (!idlep_.Read(i) && !RunqEmpty(&p_[i])) return true;
    }
    return false;
  }

  void StopM(TestM* mp) {
    {
      model::LockScope scope(&lock_);
      midle_.push_back(mp);
    }
    mp->note.Wait();
  }

  void Run(G* gp) {
    std::function<void()> body = bodies_[gp - gs_];
    model::Check(body != nullptr, "a G runs once");
    bodies_[gp - gs_] = nullptr;
    body();
  }

  void PIdlePut(int p) {
    model::Check(RunqEmpty(&p_[p]), "an idle P has no Gs");
    idlep_.Set(p);
    pidle_.push_back(p);
    npidle_.fetch_add(1);
  }
  int PIdleGet() {
    if (pidle_.empty()) return -1;
    const int p = pidle_.back();
    pidle_.pop_back();
    idlep_.Clear(p);
    npidle_.fetch_sub(1);
    return p;
  }

  Atomic<int32_t> nmspinning_{0};
  Atomic<int32_t> npidle_{0};
  PMask idlep_;
  P p_[kPs];
  model::Lock lock_;
  std::vector<int> pidle_;     // guarded by lock_
  std::vector<TestM*> midle_;  // guarded by lock_
  G gs_[kMaxGs];
  std::function<void()> bodies_[kMaxGs];
};

// P 0 submits one G and never looks at its own queue; an M on P 1 is about to give up spinning.
void SubmitAgainstParking(bool next) {
  TestSched s;
  TestM m, spare;
  model::Event ran;
  s.AddSpinningM(&m, 1);
  s.AddIdleM(&spare);
  model::SpawnDaemon([&] { s.MLoop(&m, false); });
  model::SpawnDaemon([&] { s.MLoop(&spare, true); });
  s.Submit(
      0, 0, [&] { ran.Signal(); }, next);
  ran.Wait();
}

// G 0 is over only after G 1 ran: one M is not enough, so the first must wake the second.
void TwoGsNeedTwoMs() {
  TestSched s;
  TestM m1, m2, spare;
  model::Event ran0, ran1;
  s.AddIdleP(2);
  s.AddSpinningM(&m1, 1);
  s.AddIdleM(&spare);
  s.AddIdleM(&m2);
  model::SpawnDaemon([&] { s.MLoop(&m1, false); });
  model::SpawnDaemon([&] { s.MLoop(&m2, true); });
  model::SpawnDaemon([&] { s.MLoop(&spare, true); });
  const auto g0 = [&] {
    ran1.Wait();
    ran0.Signal();
  };
  s.Submit(0, 0, g0, false);
  s.Submit(
      0, 1, [&] { ran1.Signal(); }, false);
  ran0.Wait();
}

model::Result ExploreAndTell(const std::function<void()>& body, int max_preemptions) {
  const model::Result result = model::Explore({.max_preemptions = max_preemptions}, body);
  std::cout << result.executions << " executions, " << result.cut_executions << " of them cut, "
            << (result.ok ? "no failure" : result.failure) << "\n";
  return result;
}

class ParkWake : public testing::Test {
 protected:
  ~ParkWake() override { mistake = Mistake::kNone; }
};

TEST_F(ParkWake, NoWakeUpIsLost) {
  for (bool next : {false, true}) {
    const model::Result result = ExploreAndTell([next] { SubmitAgainstParking(next); }, 3);
    EXPECT_TRUE(result.ok) << result.failure << "\n" << result.schedule << "\n" << result.trace;
    EXPECT_TRUE(result.complete);
  }
}

TEST_F(ParkWake, SpinningIsPassedOn) {
  const model::Result result = ExploreAndTell(TwoGsNeedTwoMs, 2);
  EXPECT_TRUE(result.ok) << result.failure << "\n" << result.schedule << "\n" << result.trace;
  EXPECT_TRUE(result.complete);
}

TEST_F(ParkWake, MistakesOfTheSubmitterAndTheParkerAreFound) {
  for (Mistake m : {Mistake::kNoPublish, Mistake::kCheckBeforeDrop, Mistake::kRelaxedDrop,
                    Mistake::kNoWakeAtAll}) {
    mistake = m;
    EXPECT_FALSE(ExploreAndTell([] { SubmitAgainstParking(false); }, 3).ok) << static_cast<int>(m);
  }
}

TEST_F(ParkWake, MistakesInPassingOnAreFound) {
  mistake = Mistake::kNoWakeFromSpinning;
  EXPECT_FALSE(ExploreAndTell(TwoGsNeedTwoMs, 2).ok);
}

}  // namespace
}  // namespace gort::rt
