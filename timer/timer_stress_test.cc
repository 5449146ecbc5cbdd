// Stop and Reset against firing, many rounds. Seeds are fixed; interleavings are the machine's.
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/chan/chan.h"
#include "gort/platforms/clock.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gort/timer/testing/latch.h"
#include "gort/timer/timer.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using testing::InGort;
using testing::Latch;

const int kScale = gort::testing::Slow() ? 20 : 1;

// Each round a timer is due at about the moment it is stopped. Either Stop says true and there is
// no time to receive, or it says false and there is (it was received before, or is being).
TEST(TimerStress, StopAgainstSend) {
  InGort([] {
    int before = rt::GoMaxProcs(4);
    const int kRounds = 100'000 / kScale;
    constexpr int kWorkers = 4;
    Latch done(kWorkers);
    std::atomic<int64_t> stopped{0}, received{0};
    for (int w = 0; w < kWorkers; ++w) {
      Go([&, w] {
        rt::FastRand rand(static_cast<uint64_t>(w) + 1);
        Timer t = NewTimer(absl::Hours(1));
        for (int i = 0; i < kRounds / kWorkers; ++i) {
          t.Reset(absl::Nanoseconds(rand.N(20'000)));
          const int64_t until = rt::Nanotime() + rand.N(30'000);
          while (rt::Nanotime() < until) rt::Gosched();
          const bool took = t.C().TryRecv(nullptr) == RecvState::kValue;
          const bool stop = t.Stop();
          // Taken and fired once only: not both, not neither.
          EXPECT_NE(took, stop);
          EXPECT_EQ(t.C().TryRecv(nullptr), RecvState::kEmpty);
          (took ? received : stopped).fetch_add(1);
        }
        done.Done();
      });
    }
    done.Wait();
    EXPECT_EQ(stopped.load() + received.load(), kRounds);
    rt::GoMaxProcs(before);
  });
}

// As above with the function of an AfterFunc: it runs, or Stop says true, and never both.
TEST(TimerStress, StopAgainstFunc) {
  InGort([] {
    int before = rt::GoMaxProcs(4);
    const int kRounds = 100'000 / kScale;
    rt::FastRand rand(5);
    std::atomic<int64_t> ran{0};
    int64_t stopped = 0;
    for (int i = 0; i < kRounds; ++i) {
      Timer t = AfterFunc(absl::Nanoseconds(rand.N(10'000)), [&] { ran.fetch_add(1); });
      const int64_t until = rt::Nanotime() + rand.N(15'000);
      while (rt::Nanotime() < until) rt::Gosched();
      if (t.Stop()) ++stopped;
    }
    EXPECT_TRUE(testing::Eventually([&] { return ran.load() + stopped == kRounds; }));
    EXPECT_GT(ran.load(), 0);
    rt::GoMaxProcs(before);
  });
}

// Goroutines and threads change one set of timers at random while Ps come and go.
TEST(TimerStress, ManyChangersOfFewTimers) {
  InGort([] {
    int before = rt::GoMaxProcs(4);
    constexpr int kTimers = 8;
    constexpr int kWorkers = 4;
    const int kRounds = 40'000 / kScale;
    std::vector<Timer> timers;
    for (int i = 0; i < kTimers; ++i) timers.push_back(NewTimer(absl::Hours(1)));
    std::vector<Timer> funcs;
    std::atomic<int64_t> ran{0}, armed{kTimers}, disarmed{0};
    for (int i = 0; i < kTimers; ++i) {
      funcs.push_back(AfterFunc(absl::Hours(1), [&] { ran.fetch_add(1); }));
    }
    auto work = [&](uint64_t seed) {
      rt::FastRand rand(seed);
      for (int r = 0; r < kRounds; ++r) {
        const Timer& t = timers[rand.N(kTimers)];
        const Timer& f = funcs[rand.N(kTimers)];
        const absl::Duration d = absl::Nanoseconds(rand.N(50'000));
        switch (rand.N(5)) {
          case 0:
            t.Stop();
            break;
          case 1:
            t.Reset(d);
            break;
          case 2:
            t.C().TryRecv(nullptr);
            break;
          case 3:
            if (f.Stop()) disarmed.fetch_add(1);
            break;
          default:
            armed.fetch_add(1);
            if (f.Reset(d)) disarmed.fetch_add(1);
        }
        if (rand.N(16) == 0) rt::Gosched();
      }
    };
    Latch done(2 * kWorkers);
    testing::ThreadsToCome threads_to_come;
    std::vector<std::thread> threads;
    for (uint64_t w = 0; w < kWorkers; ++w) {
      Go([&, w] {
        work(w + 1);
        done.Done();
      });
      threads.emplace_back([&, w] {
        work(w + 100);
        done.Done();
      });
    }
    for (int i = 0; i < 20; ++i) {
      rt::GoMaxProcs(1 + i % 5);
      Sleep(absl::Microseconds(300));
    }
    done.Wait();
    for (auto& t : threads) t.join();
    for (const Timer& f : funcs) {
      if (f.Stop()) disarmed.fetch_add(1);
    }
    EXPECT_TRUE(testing::Eventually([&] { return ran.load() + disarmed.load() == armed.load(); }))
        << ran.load() << " + " << disarmed.load() << " != " << armed.load();
    rt::GoMaxProcs(before);
  });
}

TEST(TimerStress, TwoMillionTimersMadeAndStopped) {
  InGort([] {
    const int kTimers = 2'000'000 / kScale;
    constexpr int kWindow = 100;
    std::vector<Timer> window(kWindow);
    for (int i = 0; i < kTimers; ++i) {
      Timer& t = window[static_cast<size_t>(i % kWindow)];
      if (i >= kWindow) {
        EXPECT_TRUE(t.Stop());
      }
      t = i % 2 == 0 ? NewTimer(absl::Hours(1)) : AfterFunc(absl::Hours(1), [] {});
    }
    for (Timer& t : window) EXPECT_TRUE(t.Stop());
  });
}

}  // namespace
}  // namespace gort
