// TaskGroup: the first failure, and that nothing outlives the scope.
#include "gort/sync/task_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/context/context.h"
#include "gort/proc/proc.h"
#include "gort/sync/testing/ends_late.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::EndsLate;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

absl::Status UntilCancelled(const Context& ctx) {
  ctx.Done().Recv();
  return ctx.Err();
}

TEST(TaskGroupTest, WaitsForAll) {
  InGort([] {
    TaskGroup g;
    EXPECT_TRUE(g.Wait().ok()) << "of none";
    std::atomic<int> ran{0};
    for (int i = 0; i < 100; ++i) {
      g.Go([&] { ++ran; });
      g.Go([&](Context) { return ++ran, absl::OkStatus(); });
      g.Go(
          GoOptions{.name = "named"}, [&](const Context&, int n) { ran += n; }, 1);
      g.Go([&](std::unique_ptr<int> n) -> absl::StatusOr<int> { return ran += *n; },
           std::make_unique<int>(1));
    }
    EXPECT_TRUE(g.Wait().ok());
    EXPECT_EQ(ran, 400);
    EXPECT_TRUE(g.context().Err().ok()) << "may be used on";
    g.Go([&] { ++ran; });
    EXPECT_TRUE(g.Wait().ok());
    EXPECT_EQ(ran, 401);
  });
}

TEST(TaskGroupTest, SpawnGivesAFuture) {
  InGort([] {
    TaskGroup g;
    Future<int> plain = g.Spawn([](int a) { return a + 1; }, 1);
    Future<std::unique_ptr<int>> with = g.Spawn(
        GoOptions(), [](const Context& ctx) { return std::make_unique<int>(ctx.Err().ok()); });
    Future<void> nothing = g.Spawn([] {});
    EXPECT_EQ(plain.Get(), 2);
    EXPECT_EQ(*with.Get(), 1);
    nothing.Get();
    g.Spawn([] { return std::string("dropped"); });  // without a warning: the group waits
    EXPECT_TRUE(g.Wait().ok());
  });
}

TEST(TaskGroupTest, TheFirstFailureCancelsTheRest) {
  InGort([] {
    TaskGroup g;
    for (int i = 0; i < 10; ++i) g.Go(UntilCancelled);
    g.Go([] { return absl::NotFoundError("first"); });
    EXPECT_EQ(g.Wait(), absl::NotFoundError("first"));
    EXPECT_EQ(Cause(g.context()), absl::NotFoundError("first"));
    bool ran = false;
    g.Go([&](const Context& ctx) { ran = !ctx.Err().ok(); });
    EXPECT_EQ(g.Wait(), absl::NotFoundError("first")) << "again";
    EXPECT_TRUE(ran) << "with a cancelled context";

    TaskGroup or_value;
    or_value.Go(UntilCancelled);
    or_value.Go([]() -> absl::StatusOr<int> { return absl::AbortedError("no value"); });
    EXPECT_EQ(or_value.Wait(), absl::AbortedError("no value"));

    TaskGroup spawned;
    spawned.Go(UntilCancelled);
    Future<absl::Status> f = spawned.Spawn([] { return absl::DataLossError("in a Future"); });
    EXPECT_EQ(spawned.Wait(), absl::DataLossError("in a Future"));
    EXPECT_EQ(f.Get(), absl::DataLossError("in a Future"));
  });
}

TEST(TaskGroupTest, AnExceptionArrivesAtWait) {
  InGort([] {
    TaskGroup g;
    g.Go(UntilCancelled);
    g.Go([] { throw std::runtime_error("thrown"); });
    for (int i = 0; i < 2; ++i) {
      try {
        g.Wait().IgnoreError();
        ADD_FAILURE();
      } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "thrown");
      }
    }
    EXPECT_EQ(Cause(g.context()), absl::UnknownError("thrown"));

    TaskGroup spawned;
    Future<int> f = spawned.Spawn([]() -> int { throw 17; });
    EXPECT_THROW(f.Get(), int);
    EXPECT_THROW(spawned.Wait().IgnoreError(), int);
    EXPECT_FALSE(spawned.context().Err().ok());

    TaskGroup panics;
    panics.Go([] { Chan<int>().Close(); });
    EXPECT_THROW(panics.Wait().IgnoreError(), Panic);
  });
}

TEST(TaskGroupTest, TheScopeIsNotLeftBeforeItsGoroutines) {
  InGort([] {
    Procs p(4);
    std::atomic<int> alive{0};
    bool slow = true;
    {
      TaskGroup g;
      for (int i = 0; i < 10; ++i) {
        g.Go([c = EndsLate(&alive, &slow)](const Context& ctx) { ctx.Done().Recv(); });
      }
    }
    EXPECT_EQ(alive, 0);
    try {
      TaskGroup g;
      g.Go([c = EndsLate(&alive, &slow)](const Context& ctx) { ctx.Done().Recv(); });
      throw std::runtime_error("unwinds");
    } catch (const std::runtime_error&) {
      EXPECT_EQ(alive, 0);
    }
    WaitGroup ends;
    ends.Go([&] {
      TaskGroup g;
      g.Go([c = EndsLate(&alive, &slow)](const Context& ctx) { ctx.Done().Recv(); });
      rt::Goexit();
    });
    ends.Wait();
    EXPECT_EQ(alive, 0) << "Goexit";
    {
      TaskGroup g;
      g.Go([] { throw std::runtime_error("nobody waits"); });
    }
  });
}

TEST(TaskGroupTest, FunctionsAreGoneWhenWaitReturns) {
  InGort([] {
    Procs p(4);
    std::atomic<int> alive{0};
    bool slow = true;
    TaskGroup g;
    for (int i = 0; i < 50; ++i) {
      EndsLate capture(&alive, &slow);
      g.Go([capture](const Context&, const EndsLate&) {}, capture);
      static_cast<void>(g.Spawn([capture] { return 1; }));
      ASSERT_TRUE(g.Wait().ok());
      ASSERT_EQ(alive, 1);
    }
  });
}

void Tree(TaskGroup& g, std::atomic<int>& ran, int depth) {
  ++ran;
  if (depth == 0) return;
  for (int i = 0; i < 2; ++i) g.Go([&g, &ran, depth] { Tree(g, ran, depth - 1); });
}

TEST(TaskGroupTest, ChildrenMayStartOthersWhileWaitIsUnderWay) {
  InGort([] {
    Procs p(4);
    for (int i = 0; i < 20; ++i) {
      std::atomic<int> ran{0};
      {
        TaskGroup g;
        g.Go([&] { Tree(g, ran, 6); });
        if (i % 2 == 0) {
          EXPECT_TRUE(g.Wait().ok());
          EXPECT_EQ(ran, 127);
        }
      }
      EXPECT_EQ(ran, 127);
    }
  });
}

TEST(TaskGroupTest, LimitHolds) {
  InGort([] {
    Procs p(4);
    TaskGroup g;
    g.SetLimit(3);
    std::atomic<int> inside{0}, wrong{0}, ran{0};
    constexpr int kTasks = GORT_TEST_SANITIZED ? 500 : 5'000;
    for (int i = 0; i < kTasks; ++i) {
      auto task = [&] {
        if (++inside > 3) ++wrong;
        if (ran.fetch_add(1) % 8 == 0) Yield();
        --inside;
      };
      if (i % 2 == 0) {
        g.Go(task);
      } else {
        static_cast<void>(g.Spawn(task));
      }
    }
    EXPECT_TRUE(g.Wait().ok());
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(ran, kTasks);
    g.Go([&g] { EXPECT_THROW(g.SetLimit(1), Panic); });
    EXPECT_TRUE(g.Wait().ok());
  });
}

TEST(TaskGroupTest, CancelAndParents) {
  InGort([] {
    auto [parent, cancel] = WithCancel(Background());
    TaskGroup g(parent);
    g.Go(UntilCancelled);
    cancel();
    EXPECT_EQ(g.Wait(), absl::CancelledError("context canceled"));
    TaskGroup h;
    h.Go([](const Context& ctx) { ctx.Done().Recv(); });
    h.Cancel();
    EXPECT_TRUE(h.Wait().ok()) << "none of them failed";
    EXPECT_FALSE(h.context().Err().ok());
  });
}

TEST(TaskGroupTest, GoexitIsAnEndWithoutAFailure) {
  InGort([] {
    TaskGroup g;
    g.Go([] { rt::Goexit(); });
    Future<int> f = g.Spawn([]() -> int { rt::Goexit(); });
    EXPECT_TRUE(g.Wait().ok());
    EXPECT_THROW(f.Get(), Panic);
  });
}

TEST(TaskGroupTest, ArgumentsThatThrowStartNothing) {
  InGort([] {
    struct CopyThrows {
      CopyThrows() = default;
      CopyThrows(const CopyThrows&) { throw std::runtime_error("copy"); }
    };
    CopyThrows arg;
    TaskGroup g;
    g.SetLimit(1);
    for (int i = 0; i < 3; ++i) {
      EXPECT_THROW(g.Go([](const CopyThrows&) {}, arg), std::runtime_error);
      EXPECT_THROW(static_cast<void>(g.Spawn([](const CopyThrows&) {}, arg)), std::runtime_error);
    }
    EXPECT_TRUE(g.Wait().ok());
  });
}

TEST(TaskGroupTest, FromAForeignThread) {
  InGort([] {
    std::atomic<bool> done{false};
    std::thread t = AttachedThread([&] {
      TaskGroup g;
      g.Go(UntilCancelled);
      Future<int> f = g.Spawn([] { return 3; });
      EXPECT_EQ(f.Get(), 3);
      g.Cancel();
      EXPECT_EQ(g.Wait().code(), absl::StatusCode::kCancelled);
      done = true;
    });
    while (!done) Yield();
    t.join();
  });
}

}  // namespace
}  // namespace gort
