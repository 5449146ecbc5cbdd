// Programs with an ordinary main, seen from inside.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "gort/chan/chan.h"
#include "gort/gmp/sched.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"

namespace gort {
namespace {

std::atomic<int> signals = 0;

// A signal that a goroutine raises arrives in it, as in any thread of the process.
TEST(Run, GoroutinesTakeTheSignalsOfTheCaller) {
  signal(SIGUSR1, [](int) { ++signals; });
  int result = gort::Run([] {
    for (int i = 1; i <= 100; ++i) {
      raise(SIGUSR1);
      EXPECT_EQ(signals, i);
      Gosched();
    }
    std::atomic<bool> done = false;
    Go([&done] {
      raise(SIGUSR1);
      done = true;
    });
    while (!done) Gosched();
    return 7;
  });
  EXPECT_EQ(result, 7);
  EXPECT_EQ(signals, 101);
}

TEST(Run, NoGoroutineIsLeft) {
  gort::Run([] {
    for (int i = 0; i < 100; ++i) Go([] { Gosched(); });
    return 0;
  });
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (NumGoroutine() != 0 && std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
  }
  EXPECT_EQ(NumGoroutine(), 0);
}

TEST(Run, GoroutinesWithAStackSizeOfTheirOwnAreUsedAgain) {
  gort::Run([] {
    gort::GoOptions options;
    options.stack_size = 64 << 10;
    auto round = [&options] {
      gort::Chan<int> ended = gort::MakeChan<int>();
      gort::Go(options, [ended]() mutable { ended.Send(1); });
      ended.Recv();
      gort::Gosched();
    };
    for (int i = 0; i < 10; ++i) round();
    const int64_t made = rt::allglen.load();
    for (int i = 0; i < 1000; ++i) round();
    // One may still be ending when the next begins.
    EXPECT_LE(rt::allglen.load(), made + 4);
    return 0;
  });
}

TEST(Run, BlockingNests) {
  int result = gort::Run([] {
    std::atomic<bool> spawned = false;
    for (int i = 0; i < 100; ++i) {
      const int n = Blocking([&] {
        const int inner = Blocking([] { return Blocking([] { return 20; }) + 1; });
        if (i == 50) Go([&spawned] { spawned = true; });
        return inner * 2;
      });
      EXPECT_EQ(n, 42);
      Gosched();
    }
    while (!spawned) Gosched();
    return 3;
  });
  EXPECT_EQ(result, 3);
}

// The last P may become idle just when the call returns; somebody has to take it up.
TEST(Run, ALockedGoroutineComesBackFromBlockingCalls) {
  constexpr int kRounds = 20'000;
  static constexpr auto kBusy = std::chrono::microseconds(20);
  gort::Run([&] {
    GOMAXPROCS(1);
    const auto spin = [](std::chrono::nanoseconds d) {
      const auto end = std::chrono::steady_clock::now() + d;
      while (std::chrono::steady_clock::now() < end) {
      }
    };
    Chan<int> work = MakeChan<int>(1);
    Go([&spin, work]() mutable {
      while (work.Recv()) spin(kBusy);
    });
    LockOSThread();
    for (int i = 0; i < kRounds; ++i) {
      work.Send(i);
      // Ends about when the other has had its turn.
      rt::EnterSyscallBlock();
      spin(kBusy + std::chrono::nanoseconds(i * 7 % 8000));
      rt::ExitSyscall();
    }
    work.Close();
    UnlockOSThread();
    return 0;
  });
}

TEST(Run, TracebacksShowNames) {
  std::string text;
  gort::Run([&text] {
    std::atomic<bool> done = false;
    Go(GoOptions{.name = "ferry"}, [&] {
      text = Stack(false);
      done = true;
    });
    while (!done) Gosched();
    return 0;
  });
  EXPECT_NE(text.find(" [running, name \"ferry\"]:\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace gort
