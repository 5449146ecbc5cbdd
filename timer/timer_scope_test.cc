// TickerScope and AfterFuncScope: nothing comes after their end.
#include "gort/timer/timer_scope.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "gort/base/panic.h"
#include "gort/base/rand.h"
#include "gort/chan/chan.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/tests/support/goroutines.h"
#include "gort/timer/sleep.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

TEST(TimerScopeTest, ATickerStopsWithItsScope) {
  InGort([] {
    RecvChan<absl::Time> c;
    {
      TickerScope ticker(std::chrono::microseconds(50));
      c = ticker.C();
      EXPECT_TRUE(c.Recv().has_value());
      ticker.Reset(absl::Microseconds(20));
      EXPECT_TRUE(c.Recv().has_value());
      TickerScope moved(std::move(ticker));
      EXPECT_EQ(moved.C(), c);
      EXPECT_FALSE(ticker.C());  // NOLINT(bugprone-use-after-move): what is left
      moved = TickerScope(absl::Microseconds(20));
      EXPECT_EQ(c.TryRecv(nullptr), RecvState::kEmpty) << "stopped";
      c = moved.C();
      EXPECT_TRUE(c.Recv().has_value());
    }
    EXPECT_EQ(c.TryRecv(nullptr), RecvState::kEmpty);
    Sleep(absl::Milliseconds(1));
    EXPECT_EQ(c.TryRecv(nullptr), RecvState::kEmpty);
    EXPECT_THROW(TickerScope never(absl::ZeroDuration()), Panic);
  });
}

TEST(TimerScopeTest, RunsOnceOrIsStopped) {
  InGort([] {
    std::atomic<int> ran{0};
    AfterFuncScope soon(absl::Microseconds(20), [&] { ++ran; });
    EXPECT_TRUE(Eventually([&] { return ran == 1; }));
    EXPECT_FALSE(soon.Stop());
    EXPECT_FALSE(soon.StopAndWait());
    AfterFuncScope later(std::chrono::hours(1), [&, p = std::make_unique<int>(1)] { ran += *p; });
    EXPECT_TRUE(later.Stop());
    EXPECT_FALSE(later.StopAndWait());
    {
      AfterFuncScope never(absl::Hours(1), [&] { ++ran; });
    }
    AfterFuncScope none;
    EXPECT_FALSE(none.StopAndWait());
    none = AfterFuncScope(absl::ZeroDuration(), [&] { ++ran; });
    EXPECT_TRUE(Eventually([&] { return ran == 2; }));
  });
}

TEST(TimerScopeTest, DropsItsCapturesOnceItRanOrWasStopped) {
  InGort([] {
    auto witness = std::make_shared<int>(0);
    AfterFuncScope soon(absl::Microseconds(20), [witness] { ++*witness; });
    EXPECT_TRUE(Eventually([&] { return witness.use_count() == 1; }));
    AfterFuncScope later(absl::Hours(1), [witness] {});
    EXPECT_EQ(witness.use_count(), 2);
    EXPECT_TRUE(later.Stop());
    EXPECT_EQ(witness.use_count(), 1);
    AfterFuncScope exits(absl::ZeroDuration(), [witness] { rt::Goexit(); });
    EXPECT_TRUE(Eventually([&] { return witness.use_count() == 1; }));
    EXPECT_FALSE(exits.StopAndWait());

    // A cycle: the function holds what holds the handle.
    struct Holder {
      AfterFuncScope scope;
    };
    auto holder = std::make_shared<Holder>();
    std::weak_ptr<Holder> gone = holder;
    holder->scope = AfterFuncScope(absl::Microseconds(20), [holder] {});
    holder.reset();
    EXPECT_TRUE(Eventually([&] { return gone.expired(); }));
  });
}

TEST(TimerScopeTest, AHandleMayGoInItsOwnStop) {
  InGort([] {
    struct Holder {
      AfterFuncScope scope;
    };
    auto holder = std::make_shared<Holder>();
    std::weak_ptr<Holder> gone = holder;
    AfterFuncScope* handle = &holder->scope;
    *handle = AfterFuncScope(absl::Hours(1), [holder] {});
    holder.reset();
    EXPECT_FALSE(gone.expired());
    EXPECT_TRUE(handle->Stop());
    EXPECT_TRUE(gone.expired());
  });
}

TEST(TimerScopeTest, DoesNotEndWhileItsFunctionRuns) {
  InGort([] {
    Chan<Unit> started = MakeChan<Unit>();
    Chan<Unit> go_on = MakeChan<Unit>();
    bool over = false;
    std::optional<AfterFuncScope> scope;
    scope.emplace(absl::ZeroDuration(), [&] {
      started.Send({});
      go_on.Recv();
      over = true;
    });
    started.Recv();
    EXPECT_FALSE(scope->Stop());
    Probe waits([&] { scope->StopAndWait(); });
    Probe ends([&] { scope.reset(); });
    EXPECT_FALSE(waits.done());
    EXPECT_FALSE(ends.done());
    go_on.Send({});
    EXPECT_TRUE(waits.Finish());
    EXPECT_TRUE(ends.Finish());
    EXPECT_TRUE(over);
  });
}

TEST(TimerScopeTest, MayEndInItsOwnFunction) {
  InGort([] {
    std::atomic<bool> over{false};
    std::optional<AfterFuncScope> scope;
    scope.emplace(absl::Milliseconds(1), [&] {
      scope.reset();
      over = true;
    });
    EXPECT_TRUE(Eventually([&] { return over.load(); }));
  });
}

TEST(TimerScopeTest, WhatItsFunctionNeedsMayGoAfterIt) {
  InGort([] {
    Procs p(4);
    rt::FastRand rand(5);
    constexpr int kRounds = GORT_TEST_SANITIZED ? 1'000 : 10'000;
    for (int i = 0; i < kRounds; ++i) {
      const uint32_t r = rand.Next();
      auto used = std::make_unique<int>(0);
      AfterFuncScope scope(absl::Nanoseconds(r % 4096), [&used] { ++*used; });
      for (uint32_t k = 0; k < (r >> 16 & 3); ++k) Yield();
      const bool stopped = scope.StopAndWait();
      ASSERT_EQ(*used, stopped ? 0 : 1);
      used.reset();
    }
  });
}

TEST(TimerScopeTest, FromAForeignThread) {
  InGort([] {
    std::atomic<bool> done{false};
    std::thread t = AttachedThread([&] {
      std::atomic<bool> started{false};
      bool over = false;
      {
        AfterFuncScope scope(absl::ZeroDuration(), [&] {
          started = true;
          for (int i = 0; i < 100; ++i) Yield();
          over = true;
        });
        while (!started) std::this_thread::yield();
      }
      EXPECT_TRUE(over);
      done = true;
    });
    while (!done) Yield();
    t.join();
  });
}

}  // namespace
}  // namespace gort
