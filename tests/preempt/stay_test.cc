// A goroutine that is cut off stays on its thread: what belongs to the thread is still its own when
// it goes on, and nobody has touched it. Run with GODEBUG=preemptrate=10000.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/process.h"

namespace stay {
namespace {

using gort::rt::Interrupted;
using gort::rt::PreemptCount;

// Long enough to be cut off in the middle of it, mostly.
GORT_NOINLINE void Compute() {
  volatile int left = 200'000;
  while (left > 0) left = left - 1;
  asm volatile("" ::: "memory");  // for the caller: anything may have changed
}

// Calls f again and again in several goroutines, until that many were cut off, or f was called so
// often: who waits for a lock goes on without a P, and is not cut off much.
void InManyGoroutines(const std::function<void()>& f, int64_t calls = INT64_MAX) {
  constexpr int kGoroutines = 8;
  const int64_t cut_off = gort::testing::Slow() ? 30 : 150;
  gort::Run([&] {
    for (int procs : {1, 2, 8}) {
      gort::GOMAXPROCS(procs);
      const int64_t enough = PreemptCount(Interrupted::kStayed) + cut_off;
      const absl::Time latest = absl::Now() + absl::Seconds(20);
      std::atomic<int64_t> called{0};
      gort::WaitGroup group;
      for (int i = 0; i < kGoroutines; ++i) {
        group.Go([&] {
          do {
            f();
          } while (!GORT_TSAN && called.fetch_add(1) < calls &&
                   PreemptCount(Interrupted::kStayed) < enough && absl::Now() < latest);
        });
      }
      group.Wait();
      EXPECT_TRUE(GORT_TSAN || called.load() >= calls ||
                  PreemptCount(Interrupted::kStayed) >= enough);
    }
    return 0;
  });
}

TEST(StayTest, LocksThatKnowTheirThreadKeepOthersOut) {
  std::shared_mutex shared;
  std::recursive_mutex recursive;
  std::atomic<int> inside_shared{0};
  std::atomic<int> inside_recursive{0};
  std::atomic<int> failures{0};
  InManyGoroutines(
      [&] {
        {
          std::unique_lock lock(shared);
          if (inside_shared.fetch_add(1) != 0) failures.fetch_add(1);
          Compute();
          inside_shared.fetch_sub(1);
        }
        {
          std::shared_lock lock(shared);
          Compute();
          if (inside_shared.load() != 0) failures.fetch_add(1);
        }
        std::lock_guard lock(recursive);
        if (inside_recursive.fetch_add(1) != 0) failures.fetch_add(1);
        Compute();
        {
          std::lock_guard again(recursive);
          Compute();
        }
        inside_recursive.fetch_sub(1);
      },
      1000);
  EXPECT_EQ(failures.load(), 0);
}

// Nothing announces that the main goroutine sleeps: another thread takes its P, without a signal.
TEST(StayTest, AStopOfTheWorldDoesNotWaitForAThreadThatJoins) {
  gort::Run([] {
    gort::GOMAXPROCS(2);
    int before = 0;
    std::thread([&before] { before = gort::GOMAXPROCS(4); }).join();
    EXPECT_EQ(before, 2);
    return 0;
  });
}

// It holds the lock as long as it is cut off, and nobody gets a P while the world is stopped.
TEST(StayTest, WhoHasStoppedTheWorldGetsALockThatACutOffGoroutineHolds) {
  if (GORT_TSAN) GTEST_SKIP() << "nobody is cut off";
  gort::Run([] {
    gort::GOMAXPROCS(1);
    std::mutex mu;
    std::atomic<bool> held{false}, cut_off{false};
    gort::WaitGroup group;
    group.Go([&] {
      std::lock_guard lock(mu);
      held = true;
      while (!cut_off) asm volatile("");
    });
    while (!held) gort::Gosched();
    cut_off = true;
    gort::rt::StopTheWorld(gort::rt::WaitReason::kStoppingTheWorld);
    mu.lock();
    mu.unlock();
    gort::rt::StartTheWorld();
    group.Wait();
    return 0;
  });
}

thread_local int depth = 0;

struct Deeper {
  Deeper() { ++depth; }
  ~Deeper() { --depth; }
};

TEST(StayTest, ACountOfTheThreadIsTheGoroutinesOwn) {
  std::atomic<int> failures{0};
  InManyGoroutines([&] {
    if (depth != 0) failures.fetch_add(1);
    {
      Deeper one;
      Compute();
      Deeper two;
      Compute();
      if (depth != 2) failures.fetch_add(1);
    }
    if (depth != 0) failures.fetch_add(1);
  });
  EXPECT_EQ(failures.load(), 0);
}

struct Pair {
  uint64_t first = 0;
  uint64_t second = 0;
};
thread_local Pair of_the_thread;

GORT_NOINLINE void Fill(uint64_t* part, uint64_t value) {
  Compute();
  *part = value;
}

// Who is cut off in Compute has the address two calls further up only.
GORT_NOINLINE void Make(Pair* pair, uint64_t value) {
  Fill(&pair->first, value);
  Fill(&pair->second, value);
}

TEST(StayTest, AnObjectOfTheThreadIsNotSeenHalfMade) {
  std::atomic<int> failures{0};
  InManyGoroutines([&] {
    Make(&of_the_thread, gort::Goid());
    const Pair seen = of_the_thread;
    if (seen.first != gort::Goid() || seen.second != gort::Goid()) failures.fetch_add(1);
  });
  EXPECT_EQ(failures.load(), 0);
}

}  // namespace
}  // namespace stay
