// Future: values and exceptions come out where one waits.
#include "gort/sync/future.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/base/panic.h"
#include "gort/base/rand.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/context/context.h"
#include "gort/proc/proc.h"
#include "gort/sync/testing/ends_late.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::EndsLate;
using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

template <class F>
std::string PanicOf(F f) {
  try {
    f();
  } catch (const Panic& e) {
    return e.what();
  }
  return "no panic";
}

int Twice(int n) { return 2 * n; }

TEST(FutureTest, GivesWhatTheFunctionReturns) {
  InGort([] {
    Future<int> n = Spawn(Twice, 21);
    EXPECT_EQ(n.Get(), 42);
    EXPECT_EQ(Spawn([](std::string a, const std::string& b) { return a + b; }, "a", "b").Get(),
              "ab");
    bool ran = false;
    Future<void> nothing = Spawn([&] { ran = true; });
    nothing.Get();
    EXPECT_TRUE(ran);
    struct Named {
      int Value() const { return 7; }
    };
    EXPECT_EQ(Spawn(&Named::Value, Named{}).Get(), 7) << "what std::invoke takes";
    EXPECT_EQ(Spawn(GoOptions{.stack_size = 1 << 20, .name = "named"}, Twice, 4).Get(), 8);
  });
}

struct NoDefault {
  explicit NoDefault(int v) : n(v) {}
  NoDefault(NoDefault&&) = default;
  int n;
};

struct MoveThrows {
  MoveThrows() = default;
  MoveThrows(MoveThrows&&) { throw std::runtime_error("move"); }
};

TEST(FutureTest, CarriesAnyResult) {
  InGort([] {
    EXPECT_EQ(*Spawn([] { return std::make_unique<int>(3); }).Get(), 3);
    auto given = std::make_unique<int>(4);
    EXPECT_EQ(*Spawn([](std::unique_ptr<int> p) { return p; }, std::move(given)).Get(), 4);
    EXPECT_EQ(Spawn([] { return NoDefault(5); }).Get().n, 5);
    int target = 6;
    Future<int&> ref = Spawn([&]() -> int& { return target; });
    EXPECT_EQ(&ref.Get(), &target);
    EXPECT_EQ(
        &Spawn([](std::reference_wrapper<int> r) -> int& { return r; }, std::ref(target)).Get(),
        &target);
    EXPECT_EQ(Spawn([]() -> const std::string { return "8"; }).Get(), "8");
    struct alignas(64) Wide {
      char c = 9;
    };
    EXPECT_EQ(Spawn([] { return Wide(); }).Get().c, 9);
    struct HidesItsAddress {
      void operator&() const = delete;  // NOLINT(google-runtime-operator)
      int n = 10;
    };
    EXPECT_EQ(Spawn([] { return HidesItsAddress(); }).Get().n, 10);
    const std::string captured = "const capture";
    EXPECT_EQ(Spawn([captured] { return captured; }).Get(), captured);

    Future<MoveThrows> thrower = Spawn([] { return MoveThrows(); });
    EXPECT_THROW(thrower.Get(), std::runtime_error);
    EXPECT_FALSE(thrower) << "used up";
  });
}

TEST(FutureTest, GetThrowsWhatTheFunctionThrew) {
  InGort([] {
    Future<int> f = Spawn([]() -> int { throw std::runtime_error("thrown"); });
    try {
      f.Get();
      ADD_FAILURE();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "thrown");
    }
    Future<void> n = Spawn([] { throw 17; });
    n.Wait();
    EXPECT_TRUE(n.Ready());
    EXPECT_THROW(n.Get(), int);
    EXPECT_EQ(PanicOf([] { Spawn([] { throw Panic("misuse"); }).Get(); }), "misuse");
  });
}

TEST(FutureTest, AnEmptyFutureIsMisuse) {
  InGort([] {
    const std::string text = "future: no result to wait for";
    Future<int> f;
    EXPECT_FALSE(f);
    EXPECT_FALSE(f.Ready());
    EXPECT_EQ(PanicOf([&] { f.Get(); }), text);
    EXPECT_EQ(PanicOf([&] { f.Wait(); }), text);
    EXPECT_EQ(PanicOf([&] { f.Wait(Background()).IgnoreError(); }), text);
    EXPECT_EQ(Select(OnReady(f), Default()), 1) << "never ready";
    f = Spawn(Twice, 1);
    Future<int> g = std::move(f);
    EXPECT_EQ(PanicOf([&] { f.Get(); }), text) << "moved from";
    EXPECT_EQ(g.Get(), 2);
    EXPECT_EQ(PanicOf([&] { g.Get(); }), text) << "twice";
  });
}

TEST(FutureTest, GoexitIsNoResult) {
  InGort([] {
    const std::string text = "future: the goroutine ended by Goexit";
    std::atomic<int> alive{0};
    bool slow = true;
    Future<int> f = Spawn([c = EndsLate(&alive, &slow)]() -> int { rt::Goexit(); });
    EXPECT_EQ(PanicOf([&] { f.Get(); }), text);
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(PanicOf([&] { Spawn([] { rt::Goexit(); }).Get(); }), text);
  });
}

TEST(FutureTest, WhatWasCapturedIsGoneWhenItIsReady) {
  InGort([] {
    Procs p(4);
    std::atomic<int> alive{0};
    bool slow = true;
    for (int i = 0; i < 50; ++i) {
      EndsLate capture(&alive, &slow);
      Future<void> f = Spawn([capture](const EndsLate&) {}, capture);
      f.Get();
      ASSERT_EQ(alive, 1);
    }
  });
}

TEST(FutureTest, DroppingDetaches) {
  InGort([] {
    std::atomic<int> ends{0};
    Chan<Unit> go_on = MakeChan<Unit>();
    struct Counted {
      std::atomic<int>* n;
      explicit Counted(std::atomic<int>* c) : n(c) {}
      Counted(Counted&& o) noexcept : n(std::exchange(o.n, nullptr)) {}
      ~Counted() {
        if (n != nullptr) ++*n;
      }
    };
    {
      Future<Counted> dropped = Spawn([&] {
        go_on.Recv();
        return Counted(&ends);
      });
      static_cast<void>(Spawn([&] {
        go_on.Recv();
        throw std::runtime_error("nobody asks");
      }));
    }
    EXPECT_EQ(ends, 0);
    go_on.Close();
    EXPECT_TRUE(Eventually([&] { return ends == 1; })) << "the result goes with the goroutine";
    {
      Future<Counted> late = Spawn([&] { return Counted(&ends); });
      late.Wait();
    }
    EXPECT_EQ(ends, 2) << "or with the Future";
  });
}

TEST(FutureTest, GetWaits) {
  InGort([] {
    Chan<int> c = MakeChan<int>();
    Future<int> f = Spawn([c] { return *c.Recv(); });
    EXPECT_FALSE(f.Ready());
    int got = 0;
    Probe getter([&] { got = f.Get(); });
    EXPECT_EQ(getter.Waits(), "future");
    c.Send(5);
    EXPECT_TRUE(getter.Finish());
    EXPECT_EQ(got, 5);
  });
}

TEST(FutureTest, WaitWithAContext) {
  InGort([] {
    auto [ctx, cancel] = WithCancel(Background());
    Chan<int> c = MakeChan<int>();
    Future<int> f = Spawn([c] { return *c.Recv(); });
    absl::Status waited;
    Probe waiter([&, ctx = ctx] { waited = f.Wait(ctx); });
    EXPECT_EQ(waiter.Waits(), "future");
    cancel();
    EXPECT_TRUE(waiter.Finish());
    EXPECT_EQ(waited, absl::CancelledError("context canceled"));
    EXPECT_EQ(f.Wait(ctx), absl::CancelledError("context canceled")) << "cancelled before";
    c.Send(5);
    EXPECT_TRUE(f.Wait(Background()).ok());
    EXPECT_TRUE(f.Wait(ctx).ok()) << "ready comes first";
    EXPECT_EQ(f.Get(), 5);
  });
}

TEST(FutureTest, ACaseOfSelect) {
  InGort([] {
    Chan<int> c = MakeChan<int>();
    auto recv = [c] { return *c.Recv(); };
    Future<int> a = Spawn(recv);
    Future<int> b = Spawn([]() -> int { return 2; });
    Future<void> nothing = Spawn([c] { c.Recv(); });
    int got = 0;
    EXPECT_EQ(Select(OnReady(a), OnReady(b, [&](int n) { got = n; }), OnReady(nothing)), 1);
    EXPECT_EQ(got, 2);
    EXPECT_FALSE(b) << "taken";
    EXPECT_EQ(Select(OnReady(a), Default()), 1);
    bool called = false;
    c.Close();
    EXPECT_EQ(Select(OnReady(nothing, [&] { called = true; })), 0);
    EXPECT_TRUE(called);
    nothing.Get();
    Future<std::unique_ptr<int>> p = Spawn([] { return std::make_unique<int>(4); });
    EXPECT_EQ(Select(OnReady(p, [&](std::unique_ptr<int> v) { got = *v; })), 0);
    EXPECT_EQ(got, 4);
    Future<int> bad = Spawn([]() -> int { throw std::runtime_error("thrown"); });
    EXPECT_THROW(Select(OnReady(bad, [](int) {})), std::runtime_error);
    Future<int> d = Spawn(Twice, 3);
    EXPECT_EQ(d.Done(), d.Done());
    d.Done().Recv();
    EXPECT_TRUE(d.Ready());
    EXPECT_TRUE(d.Wait(Background()).ok());
    EXPECT_EQ(d.Get(), 6);
  });
}

TEST(FutureTest, ArgumentsThatThrowStartNothing) {
  InGort([] {
    struct CopyThrows {
      CopyThrows() = default;
      CopyThrows(const CopyThrows&) { throw std::runtime_error("copy"); }
    };
    CopyThrows arg;
    bool ran = false;
    EXPECT_THROW(static_cast<void>(Spawn([&](const CopyThrows&) { ran = true; }, arg)),
                 std::runtime_error);
    EXPECT_FALSE(ran);
  });
}

TEST(FutureTest, FromForeignThreads) {
  InGort([] {
    std::thread t = AttachedThread([] {
      Future<int> f = Spawn(Twice, 5);
      EXPECT_EQ(f.Get(), 10);
      Chan<int> c = MakeChan<int>();
      Future<int> g = Spawn([c] { return *c.Recv(); });
      auto [ctx, cancel] = WithTimeout(Background(), absl::Milliseconds(1));
      EXPECT_EQ(g.Wait(ctx).code(), absl::StatusCode::kDeadlineExceeded);
      Go([c] { c.Send(1); });
      EXPECT_EQ(g.Get(), 1);
    });
    t.join();
  });
}

// The goroutine's end, a cancellation and a look by select meet in every order.
void EndAgainstCancel(int procs, uint64_t seed) {
  Procs p(procs);
  rt::FastRand rand(seed);
  constexpr int kRounds = GORT_TEST_SANITIZED ? 2'000 : 10'000;
  for (int i = 0; i < kRounds; ++i) {
    auto [ctx, cancel] = WithCancel(Background());
    const uint32_t r = rand.Next();
    Future<int> f = Spawn([r, i] {
      for (uint32_t k = 0; k < (r & 3); ++k) Yield();
      return i;
    });
    if ((r & 64) != 0) Select(OnReady(f), Default());
    Go([r, cancel = cancel] {
      for (uint32_t k = 0; k < (r >> 2 & 3); ++k) Yield();
      cancel();
    });
    const absl::Status waited = f.Wait(ctx);
    if (!waited.ok()) {
      ASSERT_EQ(waited, ctx.Err());
    } else {
      ASSERT_TRUE(f.Ready());
    }
    if ((r & 128) != 0) {
      ASSERT_EQ(f.Get(), i);
    }
  }
}
TEST(FutureTest, EndAgainstCancelOnOneP) {
  InGort([] { EndAgainstCancel(1, 1); });
}
TEST(FutureTest, EndAgainstCancelOnFourPs) {
  InGort([] { EndAgainstCancel(4, 2); });
}

}  // namespace
}  // namespace gort
