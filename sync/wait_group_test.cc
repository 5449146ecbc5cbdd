#include "gort/sync/wait_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/context/context.h"
#include "gort/proc/proc.h"
#include "gort/sync/testing/ends_late.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::EndsLate;
using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

constexpr int kRounds = GORT_TEST_SANITIZED ? 1'000 : 20'000;

TEST(WaitGroupTest, WaitsForAll) {
  InGort([] {
    WaitGroup wg;
    wg.Wait();
    wg.Add(3);
    std::vector<Probe> waiters;
    for (int i = 0; i < 4; ++i) {
      waiters.emplace_back([&] { wg.Wait(); });
      EXPECT_EQ(waiters.back().Waits(), "sync.WaitGroup.Wait");
    }
    wg.Done();
    wg.Add(1);
    wg.Add(-2);
    EXPECT_FALSE(waiters[0].done());
    wg.Done();
    for (Probe& p : waiters) EXPECT_TRUE(p.Finish());
    wg.Wait();
  });
}

TEST(WaitGroupTest, NegativeCounterPanics) {
  InGort([] {
    WaitGroup wg;
    wg.Add(1);
    wg.Done();
    try {
      wg.Done();
      FAIL();
    } catch (const Panic& e) {
      EXPECT_STREQ(e.what(), "sync: negative WaitGroup counter");
    }
  });
}

TEST(WaitGroupTest, UsedAgain) {
  InGort([] {
    Procs p(4);
    WaitGroup wg;
    for (int i = 0; i < kRounds; ++i) {
      std::atomic<int> n{0};
      for (int g = 0; g < 3; ++g) wg.Go([&] { ++n; });
      wg.Wait();
      ASSERT_EQ(n, 3);
    }
  });
}

TEST(WaitGroupTest, DestroyedAsSoonAsWaitReturns) {
  InGort([] {
    Procs p(4);
    for (int i = 0; i < kRounds; ++i) {
      auto wg = std::make_unique<WaitGroup>();
      wg->Add(2);
      Go([w = wg.get()] { w->Done(); });
      Go([w = wg.get()] { w->Done(); });
      wg->Wait();
    }
  });
}

TEST(WaitGroupTest, GoDestroysWhatCannotBeMovedBeforeDone) {
  InGort([] {
    Procs one(1);  // a Wait that returns too early goes on at the first yield
    std::atomic<int> alive{0};
    for (int i = 0; i < 100; ++i) {
      WaitGroup wg;
      bool slow = false;
      {
        const EndsLate captured(&alive, &slow);
        wg.Go([captured] {});
      }
      slow = true;
      wg.Wait();
      ASSERT_EQ(alive.load(), 0);
    }
  });
}

TEST(WaitGroupTest, GoDestroysTheFunctionBeforeDone) {
  InGort([] {
    for (int i = 0; i < 1000; ++i) {
      auto p = std::make_shared<int>(1);
      WaitGroup wg;
      wg.Go([p] {});
      wg.Wait();
      ASSERT_EQ(p.use_count(), 1);
    }
    struct CannotCopy {
      CannotCopy() = default;
      CannotCopy(const CannotCopy&) { throw std::runtime_error("copy"); }
      void operator()() const {}
    } f;
    WaitGroup wg;
    EXPECT_THROW(wg.Go(f), std::runtime_error);
    wg.Wait();
  });
}

TEST(WaitGroupTest, WhatIsThrownArrivesAtWait) {
  InGort([] {
    WaitGroup wg;
    wg.Go([] { throw std::runtime_error("thrown"); });
    EXPECT_THROW(wg.Wait(), std::runtime_error);
    wg.Wait();  // once
    wg.Go([] { throw Panic("misuse"); });
    wg.Go([] {});
    EXPECT_THROW(wg.Wait(Background()).IgnoreError(), Panic);
    EXPECT_TRUE(wg.Wait(Background()).ok());
  });
}

// What several goroutines catch is not read in these tests: the C++ library counts its owners where
// ThreadSanitizer does not see it.
struct First {};
struct Second {};

TEST(WaitGroupTest, EachWaitOfARoundGetsTheFirstException) {
  InGort([] {
    WaitGroup wg;
    Chan<int> c = MakeChan<int>();
    Chan<int> d = MakeChan<int>();
    auto captured = std::make_shared<int>();
    const std::weak_ptr<int> first = captured;
    wg.Go([c, captured = std::move(captured)] {
      c.Recv();
      throw First();
    });
    wg.Go([d] {
      d.Recv();
      throw Second();
    });
    std::atomic<int> caught{0};
    auto wait = [&] {
      try {
        wg.Wait();
      } catch (const First&) {
        ++caught;
      } catch (const Second&) {
        ADD_FAILURE();
      }
    };
    Probe a([&] { wait(); });
    Probe b([&] { wait(); });
    c.Send(1);
    EXPECT_TRUE(Eventually([&] { return first.expired(); })) << "thrown";
    Probe third([&] { wait(); });
    EXPECT_EQ(third.Waits(), "sync.WaitGroup.Wait");
    d.Send(2);
    EXPECT_TRUE(a.Finish() && b.Finish() && third.Finish());
    EXPECT_EQ(caught, 3);
    wg.Wait();
  });
}

// The late one comes while the last Done is on its way to the one that waits.
TEST(WaitGroupTest, ALateWaitLeavesTheExceptionToThoseThatWaited) {
  InGort([] {
    Procs p(4);
    for (int i = 0; i < kRounds / 10; ++i) {
      WaitGroup wg;
      std::atomic<bool> go{false}, ends{false};
      // Destroyed with the function, right before Done.
      std::shared_ptr<void> captured(&ends, [&ends](void*) { ends = true; });
      wg.Go([&go, captured = std::move(captured)] {
        while (!go) Yield();
        throw 1;
      });
      std::atomic<int> caught{0};
      Probe waits([&] {
        try {
          wg.Wait();
        } catch (const int&) {
          ++caught;
        }
      });
      WaitGroup late;
      late.Go([&] {
        while (!ends) Yield();
        wg.Wait();
      });
      go = true;
      try {
        late.Wait();
      } catch (const int&) {
        static_cast<void>(0);  // if it came in time
      }
      ASSERT_TRUE(waits.Finish());
      ASSERT_EQ(caught, 1);
    }
  });
}

TEST(WaitGroupTest, GoexitIsAnEndWithoutAFailure) {
  InGort([] {
    WaitGroup wg;
    wg.Go([] { rt::Goexit(); });
    wg.Wait();
  });
}

TEST(WaitGroupTest, GoTakesOptionsAndArguments) {
  InGort([] {
    WaitGroup wg;
    std::atomic<int> sum{0};
    wg.Go([&](std::unique_ptr<int> n, int m) { sum += *n + m; }, std::make_unique<int>(1), 2);
    wg.Go(
        GoOptions{.stack_size = 1 << 20, .name = "named"}, [&](int n) { sum += n; }, 4);
    wg.Wait();
    EXPECT_EQ(sum, 7);
    struct CopyThrows {
      CopyThrows() = default;
      CopyThrows(const CopyThrows&) { throw std::runtime_error("copy"); }
    };
    CopyThrows arg;
    EXPECT_THROW(wg.Go([](const CopyThrows&) {}, arg), std::runtime_error);
    wg.Wait();
  });
}

}  // namespace
}  // namespace gort
