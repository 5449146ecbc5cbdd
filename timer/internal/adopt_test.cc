// Timers that are reset, stopped and run while the heap that they are in is adopted by another P.
// AdoptTimers holds one lock at a time, and a change looks for a timer's heap before it has the
// lock of that heap. In either gap the test lets the other side run, by these means: it holds the
// second lock, so that Mutex::LockSlow is called, which the linker leads here (--wrap).
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/lock/mutex.h"
#include "gort/timer/internal/timer_heap.h"
#include "gort/timer/internal/timers.h"

namespace gort::rt {
namespace {

constinit P ps[2];

// What to do in the gap before the lock is taken that is held meanwhile.
constinit Mutex* gap_at = nullptr;
std::function<void()>* in_gap = nullptr;

// Runs f, and `gap` when f wants mu for the first time: on another thread, with mu free.
void WithGap(Mutex* mu, const std::function<void()>& f,
             std::function<void()> gap) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mu->LockForFork();  // not held by this thread, as far as debug builds know
  gap_at = mu;
  in_gap = &gap;
  f();
  EXPECT_EQ(gap_at, nullptr) << "nobody wanted the lock";
}

void FillGap(Mutex* mu) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (mu != gap_at) return;
  gap_at = nullptr;
  mu->UnlockAfterFork();
  std::thread(*in_gap).join();
}

struct Counter : Timer {
  Counter() : Timer(&Fired) {
    release = [](Timer*) {};
  }
  static G* Fired(Timer* t, uint32_t, int64_t) {
    ++static_cast<Counter*>(t)->fired;
    return nullptr;
  }
  int fired = 0;
};

// A change of the timer, or a look at both heaps.
struct Op {
  const char* name;
  int64_t when;  // 0: stop; negative: run what is due at -when
};
constexpr Op kOps[] = {
    {"stop", 0}, {"to 50", 50}, {"to 100", 100}, {"to 150", 150}, {"run at 60", -60},
};

// In what state the timer is before.
struct Start {
  const char* name;
  std::vector<int64_t> resets;  // 0: stop
};
const Start kStarts[] = {
    {"no entry", {}},
    {"one entry", {100}},
    {"first of all", {62}},
    {"marked as later", {70, 100}},
    {"an earlier entry added", {200, 100}},
    {"marked as stopped", {100, 0}},
    {"both", {200, 70, 100}},
};

// The timer, what is to be true of it, and two neighbours that keep its entries from both ends of
// the heap, where zombies go at once.
class Adoption {
 public:
  Adoption(const Start& start, int from) : from_(&ps[from]), to_(&ps[1 - from]) {
    // A thread without a P arms in the heap of P 0. What has an entry then stays where that is.
    TimerReset(&first_, 65, 0);
    if (!start.resets.empty()) Change(start.resets.front());
    TimerReset(&last_, 300, 0);
    if (from_ != &ps[0]) AdoptTimers(&ps[0], from_);
    for (size_t i = 1; i < start.resets.size(); ++i) Change(start.resets[i]);
  }

  void Do(const Op& op) {
    if (op.when >= 0) return Change(op.when);
    Run(-op.when);
  }

  void Change(int64_t when) {
    const bool armed = std::exchange(when_, when) != 0;
    EXPECT_EQ(when == 0 ? TimerStop(&t_) : TimerReset(&t_, when, 0), armed);
  }

  void Adopt() { AdoptTimers(from_, to_); }
  void AdoptAndBack() {
    AdoptTimers(from_, to_);
    AdoptTimers(to_, from_);
  }

  Mutex* from_lock() { return &TimerHeapOf(from_)->mu; }
  Mutex* to_lock() { return &TimerHeapOf(to_)->mu; }

  void Finish() {
    const int live = 2 + (when_ != 0 ? 1 : 0);
    EXPECT_EQ(ps[0].num_timers.load() + ps[1].num_timers.load(), live);
    for (P& p : ps) EXPECT_TRUE(Exact(&p));
    Run(400);
    EXPECT_EQ(first_.fired, 1);
    EXPECT_EQ(last_.fired, 1);
    for (P& p : ps) {
      EXPECT_EQ(p.num_timers.load(), 0);
      EXPECT_EQ(p.timer0_when.load(), 0);
    }
    EXPECT_EQ(t_.n_entries, 0);
    EXPECT_EQ(t_.refs.load(), 1);
  }

 private:
  void Run(int64_t now) {
    bool ran;
    for (P& p : ps) CheckTimers(&p, now, &ran);
    if (when_ != 0 && when_ <= now) {
      when_ = 0;
      ++fired_;
    }
    EXPECT_EQ(t_.fired, fired_);
  }

  static bool Exact(P* p) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    TimerHeap* ts = TimerHeapOf(p);
    const int64_t next = ts->heap.empty() ? 0 : ts->heap.top().when;
    if (next != 0 && ts->heap.top().timer->when != next) return false;
    return ts->heap.Valid() && p->timer0_when.load() == next && ts->live == p->num_timers.load();
  }

  P* const from_;
  P* const to_;
  Counter t_;
  Counter first_;
  Counter last_;
  int64_t when_ = 0;
  int fired_ = 0;
};

class AdoptTest : public ::testing::TestWithParam<int> {
 protected:
  static void SetUpTestSuite() {
    for (int i = 0; i < 2; ++i) {
      ps[i].id = i;
      allp[i].store(&ps[i]);
    }
    TimersInstall();
  }
  static int From() { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(FromP, AdoptTest, ::testing::Values(0, 1));

// The heap is empty, its entries are on the way, and the other P's heap does not have them yet.
TEST_P(AdoptTest, ChangesBetweenTheTwoHeaps) {
  for (const Start& start : kStarts) {
    for (const Op& a : kOps) {
      for (const Op& b : kOps) {
        for (const Op& c : kOps) {
          SCOPED_TRACE(std::string(start.name) + ": " + a.name + ", " + b.name + ", " + c.name);
          Adoption x(start, From());
          WithGap(
              x.to_lock(), [&] { x.Adopt(); },
              [&] {
                for (const Op& op : {a, b, c}) x.Do(op);
              });
          x.Finish();
          if (HasFailure()) return;
        }
      }
    }
  }
}

// A change has found the timer's heap, and waits for its lock while the timer leaves.
TEST_P(AdoptTest, AdoptedUnderAChange) {
  for (const Start& start : kStarts) {
    if (start.resets.empty()) continue;
    for (const Op& op : kOps) {
      if (op.when < 0) continue;
      for (const bool and_back : {false, true}) {
        SCOPED_TRACE(std::string(start.name) + ": " + op.name + (and_back ? ", and back" : ""));
        Adoption x(start, From());
        WithGap(
            x.from_lock(), [&] { x.Do(op); }, [&] { and_back ? x.AdoptAndBack() : x.Adopt(); });
        x.Finish();
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace gort::rt

extern "C" {
void __real__ZN4gort2rt5Mutex8LockSlowEv(gort::rt::Mutex* mu);   // NOLINT: the linker's name
void __wrap__ZN4gort2rt5Mutex8LockSlowEv(gort::rt::Mutex* mu) {  // NOLINT
  gort::rt::FillGap(mu);
  __real__ZN4gort2rt5Mutex8LockSlowEv(mu);
}
}
