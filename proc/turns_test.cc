// proc/turns_test.cc: a runnable goroutine runs within 2 * (n + 1) * kTurnPeriod decisions of its P
// when n goroutines stand before it in its queue, whatever the others do.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/lock/mutex.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"
#include "gort/proc/testing/world.h"

namespace gort::rt::testing {
namespace {

// What came to the global queue one by one, and halves of full rings, take turns.
TEST(GlobalQueue, ItsTwoPartsTakeTurns) {
  World w(1);
  P* pp = w.PAt(0);
  std::vector<G*> ring;
  for (uint32_t i = 0; i <= kRunqSize; ++i) {
    ring.push_back(w.NewG("ring", [] {}));
    RunqPutLocal(pp, ring.back(), false);
  }
  constexpr int32_t kSpilled = kRunqSize / 2 + 1;
  LockGuard l(&sched.lock);
  EXPECT_EQ(sched.runqsize.load(), kSpilled);
  std::vector<G*> singles;
  for (int i = 0; i < 3; ++i) {
    singles.push_back(w.NewG("single", [] {}));
    GlobRunqPut(singles.back());
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(GlobRunqGet(pp, 1), ring[static_cast<size_t>(i)]);
    EXPECT_EQ(GlobRunqGet(pp, 1), singles[static_cast<size_t>(i)]);
  }
  EXPECT_EQ(sched.runqsize.load(), kSpilled - 3);
  const uint32_t before = RunqLen(pp);
  EXPECT_EQ(before, kRunqSize / 2);
  EXPECT_EQ(GlobRunqGet(pp, 0), ring[3]);
  EXPECT_EQ(RunqLen(pp), before + kSpilled - 4);
  EXPECT_EQ(sched.runqsize.load(), 0);
  EXPECT_EQ(GlobRunqGet(pp, 0), nullptr);
}

// Goroutines in a circle that keep the P to themselves as far as they can: in its turn each readies
// the next one, which goes to runnext, and parks ('h'), or yields first ('y'). After a while the
// others arrive.
class Circle {
 public:
  Circle(World* w, int members, int tokens, std::string word)
      : word_(std::move(word)), members_(members) {
    for (int i = 0; i < members; ++i) {
      members_[i].g = w->NewG("member", [this, i] { Live(i); });
    }
    for (int i = 0; i < tokens; ++i) ++members_[i].tokens;
  }
  // Until Stop, or for kMost decisions.
  void Run(P* pp, std::function<void()> arrive) {
    arrive_ = std::move(arrive);
    for (Member& m : members_) RunqPutLocal(pp, m.g, false);
    ScheduleLoop(&m0);
    m0.exiting = false;
  }
  void Stop() {
    stop_ = true;
    m0.exiting = true;
  }
  // How often a member got the CPU since the others arrived.
  int64_t decisions() const { return decisions_ - kArrival; }

 private:
  static constexpr int64_t kArrival = 20;
  static constexpr int64_t kMost = 10'000;

  struct Member {
    G* g;
    int tokens = 0;
  };

  void Ran() {
    if (++decisions_ == kArrival) arrive_();
    if (decisions_ == kMost) Stop();
  }
  void Give(size_t to) {
    Member& m = members_[to % members_.size()];
    ++m.tokens;
    if (ReadGStatus(m.g) == kGWaiting) GoReady(m.g);
  }
  void Live(size_t i) {
    Ran();
    for (size_t turn = i; !stop_; ++turn) {
      while (members_[i].tokens == 0 && !stop_) {
        GoPark(nullptr, nullptr, WaitReason::kSleep);
        Ran();
      }
      if (word_[turn % word_.size()] == 'y') {
        Gosched();
        Ran();
      }
      --members_[i].tokens;
      Give(i + 1);
    }
  }

  const std::string word_;
  std::vector<Member> members_;
  std::function<void()> arrive_;
  bool stop_ = false;
  int64_t decisions_ = 0;
};

// Goroutines that wait their turn, and when it came.
class Waiters {
 public:
  Waiters(World* w, Circle* circle, int n, int* left) : ran_at_(n, -1) {
    *left += n;
    for (int i = 0; i < n; ++i) {
      gs.push_back(w->NewG("waiter", [this, circle, i, left] {
        ran_at_[i] = circle->decisions();
        if (--*left == 0) circle->Stop();
      }));
    }
  }
  void ExpectInTime(const char* where) const {
    for (size_t i = 0; i < ran_at_.size(); ++i) {
      EXPECT_GE(ran_at_[i], 0) << where << ' ' << i << " never ran";
      EXPECT_LE(ran_at_[i], static_cast<int64_t>(2 * (i + 1 + kMembers) * kTurnPeriod))
          << where << ' ' << i;
    }
  }

  // Members that yielded may stand before them.
  static constexpr int kMembers = 4;
  std::vector<G*> gs;

 private:
  std::vector<int64_t> ran_at_;
};

struct Pattern {
  int members;
  int tokens;
  const char* word;
};

struct Arrival {
  int in_ring;
  int in_global;
};

void Explore(const Pattern& pattern, uint32_t tick, bool ring_turn, Arrival arrival) {
  SCOPED_TRACE(::testing::Message()
               << pattern.members << " members, " << pattern.tokens << " tokens, word "
               << pattern.word << ", tick " << tick << (ring_turn ? ", ring" : ", global")
               << " had its turn, " << arrival.in_ring << " in the ring, " << arrival.in_global
               << " in the global queue");
  World w(1);
  P* pp = World::PAt(0);
  Circle circle(&w, pattern.members, pattern.tokens, pattern.word);
  int left = 0;
  Waiters ring(&w, &circle, arrival.in_ring, &left);
  Waiters global(&w, &circle, arrival.in_global, &left);
  circle.Run(pp, [&] {
    for (G* gp : ring.gs) RunqPutLocal(pp, gp, false);
    LockGuard l(&sched.lock);
    for (G* gp : global.gs) GlobRunqPut(gp);
    pp->globtick = tick;
    pp->ring_turn = ring_turn;
  });
  ring.ExpectInTime("ring");
  global.ExpectInTime("global queue");
}

TEST(Turns, EverybodyRunsWithinABoundInEveryPhaseOfEveryPattern) {
  for (const char* word : {"h", "hy", "hhy", "hyy", "hhhhhhhy", "y"}) {
    for (int members = 2; members <= Waiters::kMembers; ++members) {
      for (int tokens = 1; tokens <= std::min(members, 2); ++tokens) {
        for (uint32_t tick = 0; tick < kTurnPeriod; ++tick) {
          for (bool ring_turn : {false, true}) {
            for (Arrival arrival : {Arrival{1, 0}, Arrival{0, 1}, Arrival{3, 3}}) {
              Explore({members, tokens, word}, tick, ring_turn, arrival);
              if (HasFailure()) return;
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gort::rt::testing
