// Timers and tickers with the whole runtime.
#include "gort/timer/timer.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/platforms/clock.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/tests/support/goroutines.h"
#include "gort/timer/testing/latch.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using rt::Gosched;
using rt::Nanotime;
using testing::InGort;
using testing::Latch;

template <class F>
std::string PanicText(F f) {
  try {
    f();
  } catch (const Panic& p) {
    return p.what();
  }
  return "no panic";
}

// Holds the P until t, so that what is due by then is fired in one go when this yields.
void BusyUntil(int64_t t) {
  while (Nanotime() < t) {
  }
}

class WithProcs : public ::testing::TestWithParam<int> {
 protected:
  void RunIt(const std::function<void()>& f) {
    InGort([&] {
      int before = rt::GoMaxProcs(GetParam());
      f();
      rt::GoMaxProcs(before);
    });
  }
};

TEST_P(WithProcs, SendsTheTimeItWasDue) {
  RunIt([] {
    const absl::Time before = absl::Now();
    const int64_t mono = Nanotime();
    std::optional<absl::Time> t = NewTimer(absl::Milliseconds(3)).C().Recv();
    EXPECT_GE(Nanotime() - mono, 3'000'000);
    ASSERT_TRUE(t.has_value());
    EXPECT_GE(*t, before + absl::Milliseconds(2));  // the two clocks may drift a little
    EXPECT_LE(*t, absl::Now() + absl::Milliseconds(1));
  });
}

TEST_P(WithProcs, AfterWithoutHandle) {
  RunIt([] {
    EXPECT_TRUE(After(std::chrono::microseconds(200)).Recv().has_value());
    EXPECT_TRUE(After(absl::ZeroDuration()).Recv().has_value());
    EXPECT_TRUE(After(-absl::InfiniteDuration()).Recv().has_value());
    EXPECT_EQ(Select(OnRecv(After(absl::Milliseconds(1)), [](std::optional<absl::Time>) {}),
                     OnRecv(After(absl::InfiniteDuration()), [](std::optional<absl::Time>) {})),
              0);
  });
}

TEST_P(WithProcs, StopAndResetSayWhetherItWaited) {
  RunIt([] {
    Timer t = NewTimer(absl::Hours(1));
    EXPECT_TRUE(t.Stop());
    EXPECT_FALSE(t.Stop());
    EXPECT_FALSE(t.Reset(absl::Hours(1)));
    EXPECT_TRUE(t.Reset(std::chrono::microseconds(100)));
    EXPECT_TRUE(t.C().Recv().has_value());
    EXPECT_FALSE(t.Stop());
    EXPECT_FALSE(t.Reset(absl::Milliseconds(1)));
    EXPECT_TRUE(t.C().Recv().has_value());
    EXPECT_EQ(t.C().TryRecv(nullptr), RecvState::kEmpty);
  });
}

// Go 1.23: the value that was sent and not received is gone after Stop, which then says true.
TEST_P(WithProcs, NoStaleTimeAfterStopOrReset) {
  RunIt([] {
    for (int i = 0; i < 20; ++i) {
      Timer t = NewTimer(absl::Microseconds(50));
      ASSERT_TRUE(testing::Eventually([&] { return t.C().Len() == 1; }));
      EXPECT_TRUE(t.Stop());
      EXPECT_EQ(t.C().TryRecv(nullptr), RecvState::kEmpty);
      EXPECT_FALSE(t.Stop());
      t.Reset(absl::Microseconds(50));
      ASSERT_TRUE(testing::Eventually([&] { return t.C().Len() == 1; }));
      const absl::Time reset = absl::Now();
      EXPECT_TRUE(t.Reset(absl::Milliseconds(2)));
      std::optional<absl::Time> at = t.C().Recv();
      EXPECT_GE(*at, reset + absl::Milliseconds(1));
    }
  });
}

TEST_P(WithProcs, AfterFuncRunsInItsOwnGoroutine) {
  RunIt([] {
    Latch ran(2);
    std::atomic<bool> on_goroutine{false};
    Timer t = AfterFunc(absl::Microseconds(100), [&] {
      on_goroutine = rt::OnGoroutine();
      Sleep(absl::Microseconds(10));  // may park
      ran.Done();
    });
    EXPECT_FALSE(t.C());
    ASSERT_TRUE(testing::Eventually([&] { return on_goroutine.load(); }));
    EXPECT_FALSE(t.Stop());
    EXPECT_FALSE(t.Reset(std::chrono::microseconds(100)));
    ran.Wait();
    Latch never(1);
    Timer stopped = AfterFunc(absl::Hours(1), [&] { never.Done(); });
    EXPECT_TRUE(stopped.Stop());
    EXPECT_FALSE(stopped.Stop());
  });
}

// What the function captured goes when nobody can run it any more, and not on the scheduler's
// stack.
TEST_P(WithProcs, AfterFuncReleasesItsCaptures) {
  RunIt([] {
    struct Witness {
      std::atomic<int>* gone;
      ~Witness() {
        rt::CurrentG();  // fatal on g0
        gone->fetch_add(1);
      }
    };
    static std::atomic<int> gone{0};
    gone = 0;
    auto capture = [] { return std::unique_ptr<Witness>(new Witness{&gone}); };
    // 1: stopped, handle dropped.
    AfterFunc(absl::Hours(1), [w = capture()] {}).Stop();
    EXPECT_EQ(gone.load(), 1);
    // 2: runs after its handle was dropped.
    AfterFunc(absl::Microseconds(20), [w = capture()] {});
    EXPECT_TRUE(testing::Eventually([] { return gone.load() == 2; }));
    // 3: runs, then the handle is dropped.
    {
      std::atomic<bool> ran{false};
      Timer t = AfterFunc(absl::Microseconds(20), [&ran, w = capture()] { ran = true; });
      ASSERT_TRUE(testing::Eventually([&] { return ran.load(); }));
      EXPECT_EQ(gone.load(), 2);
    }
    EXPECT_TRUE(testing::Eventually([] { return gone.load() == 3; }));
  });
}

TEST_P(WithProcs, AfterFuncKeepsItsCapturesAligned) {
  RunIt([] {
    struct alignas(128) Wide {
      bool Aligned() const { return reinterpret_cast<uintptr_t>(this) % alignof(Wide) == 0; }
      char bytes[128];
    };
    std::atomic<int> aligned{0};
    Timer t =
        AfterFunc(absl::Microseconds(20), [&, w = Wide()] { aligned += w.Aligned() ? 1 : -1; });
    EXPECT_TRUE(testing::Eventually([&] { return aligned.load() != 0; }));
    EXPECT_EQ(aligned.load(), 1);
  });
}

// LeakSanitizer looks for what stays behind.
TEST_P(WithProcs, AfterFuncWhoseCapturesThrowIsNotMade) {
  RunIt([] {
    struct Throws {
      Throws() = default;
      Throws(const Throws&) { throw std::string("no copy"); }
      void operator()() const {}
    };
    const Throws f;
    EXPECT_THROW(AfterFunc(absl::ZeroDuration(), f), std::string);
  });
}

TEST_P(WithProcs, CopiesAreTheSameTimer) {
  RunIt([] {
    Timer a = NewTimer(absl::Hours(1));
    Timer b = a;
    EXPECT_EQ(a.C(), b.C());
    EXPECT_TRUE(b.Stop());
    EXPECT_FALSE(a.Stop());
    a = Timer();
    b.Reset(absl::ZeroDuration());
    EXPECT_TRUE(b.C().Recv().has_value());
  });
}

TEST_P(WithProcs, TickerTicks) {
  RunIt([] {
    const int64_t before = Nanotime();
    Ticker ticker = NewTicker(absl::Milliseconds(1));
    absl::Time last = absl::InfinitePast();
    for (int i = 0; i < 10; ++i) {
      std::optional<absl::Time> t = ticker.C().Recv();
      EXPECT_GT(*t, last);
      last = *t;
    }
    EXPECT_GE(Nanotime() - before, 10'000'000 - 1'000'000);
    ticker.Stop();
    ticker.Stop();
    EXPECT_EQ(ticker.C().TryRecv(nullptr), RecvState::kEmpty);
    ticker.Reset(std::chrono::microseconds(100));
    EXPECT_TRUE(ticker.C().Recv().has_value());
    ticker.Stop();
  });
}

// Ticks that nobody takes are dropped, not stored.
TEST_P(WithProcs, TickerDropsTicks) {
  RunIt([] {
    Ticker ticker = NewTicker(absl::Microseconds(100));
    BusyUntil(Nanotime() + 3'000'000);
    Sleep(absl::Milliseconds(1));
    EXPECT_LE(ticker.C().Len(), 1);
    ticker.Stop();
    EXPECT_EQ(ticker.C().Len(), 0);
  });
}

TEST_P(WithProcs, MisusePanics) {
  RunIt([] {
    EXPECT_EQ(PanicText([] { NewTicker(absl::ZeroDuration()); }),
              "non-positive interval for NewTicker");
    EXPECT_EQ(PanicText([] { NewTicker(std::chrono::seconds(-1)); }),
              "non-positive interval for NewTicker");
    Ticker t = NewTicker(absl::InfiniteDuration());
    EXPECT_EQ(PanicText([&] { t.Reset(-absl::Seconds(1)); }),
              "non-positive interval for Ticker.Reset");
    t.Reset(absl::Nanoseconds(1) / 2);  // rounds up to a nanosecond
    EXPECT_TRUE(t.C().Recv().has_value());
    t.Stop();
    EXPECT_EQ(PanicText([] { Timer().Stop(); }), "time: Stop called on uninitialized Timer");
    EXPECT_EQ(PanicText([] { Timer().Reset(absl::Seconds(1)); }),
              "time: Reset called on uninitialized Timer");
    EXPECT_EQ(PanicText([] { Ticker().Reset(absl::Seconds(1)); }),
              "time: Reset called on uninitialized Ticker");
    Ticker().Stop();
    EXPECT_FALSE(Ticker().C());
    EXPECT_FALSE(Timer().C());
  });
}

TEST_P(WithProcs, FromForeignThreads) {
  RunIt([] {
    Latch done(5);
    testing::ThreadsToCome threads_to_come;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        EXPECT_TRUE(After(absl::Microseconds(100)).Recv().has_value());
        Timer t = NewTimer(absl::Hours(1));
        EXPECT_TRUE(t.Reset(absl::Microseconds(10)));
        EXPECT_TRUE(t.C().Recv().has_value());
        Ticker k = NewTicker(absl::Microseconds(50));
        for (int n = 0; n < 5; ++n) k.C().Recv();
        k.Stop();
        done.Done();
      });
    }
    std::thread spawner([&] { AfterFunc(absl::Microseconds(50), [&] { done.Done(); }); });
    done.Wait();
    spawner.join();
    for (auto& t : threads) t.join();
  });
}

// One P, held until all are due: they are fired in one go, in the order of their times.
TEST(Timers, FireInOrderOfTime) {
  InGort([] {
    int before = rt::GoMaxProcs(1);
    constexpr int kN = 30;
    std::vector<Timer> timers;
    for (int i = 0; i < kN; ++i) timers.push_back(NewTimer(absl::Microseconds(3000 + 20 * i)));
    BusyUntil(Nanotime() + 4'000'000);
    absl::Time last = absl::InfinitePast();
    for (const Timer& timer : timers) {
      absl::Time t = *timer.C().Recv();
      EXPECT_GT(t, last);
      last = t;
    }
    rt::GoMaxProcs(before);
  });
}

INSTANTIATE_TEST_SUITE_P(Procs, WithProcs, ::testing::Values(1, 4));

}  // namespace
}  // namespace gort
