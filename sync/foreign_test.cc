// The primitives from threads that the runtime did not create, alone and together with goroutines.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gort/context/context.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::InGort;

constexpr int kRounds = GORT_TEST_SANITIZED ? 500 : 5'000;

// Runs f on three threads and three goroutines at once, and waits for all.
template <class F>
void Everywhere(F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.push_back(AttachedThread(f));
  InGort([&] {
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) wg.Go(f);
    wg.Wait();
  });
  for (std::thread& t : threads) t.join();
}

TEST(SyncForeignTest, Mutex) {
  Mutex mu;
  int64_t n = 0;
  Everywhere([&] {
    for (int i = 0; i < kRounds; ++i) {
      mu.Lock();
      ++n;
      mu.Unlock();
    }
  });
  EXPECT_EQ(n, 6 * kRounds);
}

TEST(SyncForeignTest, RWMutex) {
  RWMutex mu;
  int64_t n = 0;
  std::atomic<int> wrong{0};
  Everywhere([&] {
    for (int i = 0; i < kRounds; ++i) {
      if (i % 4 == 0) {
        mu.Lock();
        ++n;
        mu.Unlock();
      } else {
        mu.RLock();
        if (n < 0) ++wrong;
        mu.RUnlock();
      }
    }
  });
  EXPECT_EQ(n, 6 * ((kRounds + 3) / 4));
  EXPECT_EQ(wrong, 0);
}

TEST(SyncForeignTest, Cond) {
  Mutex mu;
  Cond cond(mu);
  int arrived = 0;
  Everywhere([&] {
    mu.Lock();
    if (++arrived == 6) cond.Broadcast();
    cond.Wait([&] { return arrived == 6; });
    mu.Unlock();
  });
  EXPECT_EQ(arrived, 6);
}

TEST(SyncForeignTest, WaitGroup) {
  WaitGroup start, end;
  start.Add(1);
  end.Add(6);
  std::thread release = AttachedThread([&] {
    start.Done();
    end.Wait();
  });
  Everywhere([&] {
    start.Wait();
    end.Done();
    end.Wait();
  });
  release.join();
}

TEST(SyncForeignTest, GoFromAThread) {
  WaitGroup wg;
  std::atomic<int> n{0};
  InGort([] {});
  for (int i = 0; i < kRounds; ++i) wg.Go([&] { ++n; });
  wg.Wait();
  EXPECT_EQ(n, kRounds);
}

TEST(SyncForeignTest, OnceSemaphoreAndPool) {
  Once once;
  int calls = 0;
  Semaphore sem(2);
  std::atomic<int> inside{0}, wrong{0};
  Pool<int> pool;
  Everywhere([&] {
    once.Do([&] { ++calls; });
    for (int i = 0; i < kRounds; ++i) {
      sem.Acquire();
      if (++inside > 2) ++wrong;
      auto p = pool.Get();
      ++*p;
      pool.Put(std::move(p));
      --inside;
      sem.Release();
    }
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(wrong, 0);
}

TEST(SyncForeignTest, SemaphoreWithContextAndErrGroup) {
  Semaphore sem(2);
  std::atomic<int> inside{0}, wrong{0}, ran{0};
  auto [ctx, cancel] = WithCancel(Background());
  ErrGroup group(ctx);
  group.SetLimit(4);
  Everywhere([&, ctx = ctx] {
    for (int i = 0; i < kRounds; ++i) {
      if (!sem.Acquire(ctx).ok()) ++wrong;
      if (++inside > 2) ++wrong;
      --inside;
      sem.Release();
      if (i % 16 == 0) group.Go([&] { ++ran; });
    }
  });
  EXPECT_TRUE(group.Wait().ok());
  EXPECT_EQ(ran, 6 * ((kRounds + 15) / 16));
  EXPECT_EQ(wrong, 0);
  // Threads and goroutines that wait are told alike.
  sem.Acquire(2);
  std::atomic<int> told{0};
  std::thread cancels([&, cancel = cancel] {
    while (told == 0) cancel();
  });
  Everywhere([&, ctx = ctx] {
    if (sem.Acquire(ctx).code() == absl::StatusCode::kCancelled) ++told;
  });
  cancels.join();
  EXPECT_EQ(told, 6);
  sem.Release(2);
  EXPECT_TRUE(sem.TryAcquire(2));
}

}  // namespace
}  // namespace gort
