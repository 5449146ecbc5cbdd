// Waits that end with a context: Mutex, Cond, WaitGroup, Semaphore. What was given is never lost.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/base/rand.h"
#include "gort/context/cancel_scope.h"
#include "gort/context/context.h"
#include "gort/sync/cond.h"
#include "gort/sync/mutex.h"
#include "gort/sync/rwmutex.h"
#include "gort/sync/semaphore.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"

#ifdef __clang__
// A lock that a Status says was taken is outside of what the analysis understands.
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

const absl::Status kCancelled = absl::CancelledError("context canceled");
constexpr int kRWRounds = GORT_TEST_SANITIZED != 0 ? 300 : 3000;

TEST(ContextWaitTest, MutexLocksOrGivesUp) {
  InGort([] {
    Mutex mu;
    CancelScope scope;
    EXPECT_TRUE(mu.Lock(scope.context()).ok());
    EXPECT_FALSE(mu.TryLock());
    absl::Status first, second;
    Probe gives_up([&] { first = mu.Lock(scope.context()); });
    EXPECT_EQ(gives_up.Waits(), "sync.Mutex.Lock");
    Probe stays([&] {
      second = mu.Lock(Background());
      mu.Unlock();
    });
    scope.Cancel();
    EXPECT_TRUE(gives_up.Finish());
    EXPECT_EQ(first, kCancelled);
    EXPECT_EQ(stays.Waits(), "sync.Mutex.Lock");
    mu.Unlock();
    EXPECT_TRUE(stays.Finish());
    EXPECT_TRUE(second.ok());
    EXPECT_EQ(mu.Lock(scope.context()), kCancelled) << "cancelled before, though free";
    EXPECT_TRUE(mu.TryLock());
    mu.Unlock();
  });
}

// Waiters give up from the head, the middle and the end of the line; the others come in order.
TEST(ContextWaitTest, MutexServesTheOthersInOrder) {
  InGort([] {
    constexpr int kWaiters = 6;
    for (uint32_t leaves = 0; leaves < 1u << kWaiters; ++leaves) {
      Mutex mu;
      CancelScope scope;
      std::string order, expected;
      mu.Lock();
      std::list<Probe> probes;
      for (int i = 0; i < kWaiters; ++i) {
        const char name = static_cast<char>('a' + i);
        const bool leave = (leaves >> i & 1) != 0;
        if (!leave) expected += name;
        probes.emplace_back([&, name, leave] {
          if (!mu.Lock(leave ? scope.context() : Background()).ok()) return;
          order += name;
          mu.Unlock();
        });
      }
      scope.Cancel();
      uint32_t i = 0;
      for (Probe& p : probes) ASSERT_TRUE((leaves >> i++ & 1) == 0 || p.Finish());
      mu.Unlock();
      for (Probe& p : probes) ASSERT_TRUE(p.Finish());
      ASSERT_EQ(order, expected) << leaves;
      ASSERT_TRUE(mu.TryLock());
      mu.Unlock();
    }
  });
}

TEST(ContextWaitTest, CondHasItsMutexAgainInEveryCase) {
  InGort([] {
    Mutex mu;
    Cond cond(mu);
    CancelScope scope;
    absl::Status waited;
    mu.Lock();
    Probe gives_up([&] {
      mu.Lock();
      waited = cond.Wait(scope.context());
      EXPECT_FALSE(mu.TryLock());
      mu.Unlock();
    });
    mu.Unlock();
    while (gives_up.Waits() != "sync.Cond.Wait") Yield();
    mu.Lock();
    scope.Cancel();
    EXPECT_FALSE(gives_up.done());
    mu.Unlock();
    EXPECT_TRUE(gives_up.Finish());
    EXPECT_EQ(waited, kCancelled);

    mu.Lock();
    EXPECT_EQ(cond.Wait(scope.context()), kCancelled) << "cancelled before";
    EXPECT_FALSE(mu.TryLock());
    bool flag = false;
    EXPECT_EQ(cond.Wait(scope.context(), [&] { return flag; }), kCancelled);
    flag = true;
    EXPECT_TRUE(cond.Wait(scope.context(), [&] { return flag; }).ok());
    Go([&] {
      mu.Lock();
      flag = false;
      cond.Signal();
      mu.Unlock();
    });
    EXPECT_TRUE(cond.Wait(Background(), [&] { return !flag; }).ok());
    mu.Unlock();
  });
}

// A waiter that gives up leaves no hole: a Signal goes to one that waits.
TEST(ContextWaitTest, SignalsPassThoseWhoGaveUp) {
  InGort([] {
    constexpr int kWaiters = 5;
    for (uint32_t leaves = 0; leaves < 1u << kWaiters; ++leaves) {
      Mutex mu;
      Cond cond(mu);
      CancelScope scope;
      std::string order, expected;
      std::list<Probe> probes;
      for (int i = 0; i < kWaiters; ++i) {
        const char name = static_cast<char>('a' + i);
        const bool leave = (leaves >> i & 1) != 0;
        if (!leave) expected += name;
        probes.emplace_back([&, name, leave] {
          std::lock_guard l(mu);
          if (cond.Wait(leave ? scope.context() : Background()).ok()) order += name;
        });
      }
      scope.Cancel();
      for (size_t i = 0; i < expected.size(); ++i) {
        cond.Signal();
        for (bool came = false; !came; Yield()) {
          std::lock_guard l(mu);
          came = order.size() > i;
        }
      }
      for (Probe& p : probes) ASSERT_TRUE(p.Finish());
      ASSERT_EQ(order, expected) << leaves;
    }
  });
}

TEST(ContextWaitTest, WaitGroupWaitsOrGivesUp) {
  InGort([] {
    CancelScope scope;
    WaitGroup wg;
    EXPECT_TRUE(wg.Wait(scope.context()).ok());
    wg.Add(1);
    absl::Status a, b;
    Probe gives_up([&] { a = wg.Wait(scope.context()); });
    EXPECT_EQ(gives_up.Waits(), "sync.WaitGroup.Wait");
    Probe stays([&] { b = wg.Wait(Background()); });
    scope.Cancel();
    EXPECT_TRUE(gives_up.Finish());
    EXPECT_EQ(a, kCancelled);
    EXPECT_EQ(wg.Wait(scope.context()), kCancelled);
    EXPECT_FALSE(stays.done());
    wg.Done();
    EXPECT_TRUE(stays.Finish());
    EXPECT_TRUE(b.ok());
    EXPECT_TRUE(wg.Wait(scope.context()).ok()) << "0 comes first";
    // The only waiter gives up: the next round knows nothing of it.
    CancelScope other;
    wg.Add(1);
    Probe alone([&] { a = wg.Wait(other.context()); });
    other.Cancel();
    EXPECT_TRUE(alone.Finish());
    EXPECT_EQ(a, kCancelled);
    wg.Done();
    wg.Add(1);
    wg.Done();
    wg.Wait();
  });
}

TEST(ContextWaitTest, ADeadlineEndsAWait) {
  InGort([] {
    CancelScope scope(Background(), absl::Milliseconds(1));
    const auto expired = absl::DeadlineExceededError("context deadline exceeded");
    Mutex mu;
    mu.Lock();
    EXPECT_EQ(mu.Lock(scope.context()), expired);
    WaitGroup wg;
    wg.Add(1);
    EXPECT_EQ(wg.Wait(scope.context()), expired);
    Semaphore s(0);
    EXPECT_EQ(s.Acquire(scope.context()), expired);
  });
}

void SomeYields(uint32_t n) {
  for (uint32_t k = 0; k < n; ++k) Yield();
}

// A context that is cancelled when others have run so many times.
Context EndsAfter(uint32_t yields) {
  auto [ctx, cancel] = WithCancel(Background());
  Go([yields, cancel = cancel] {
    SomeYields(yields);
    cancel();
  });
  return ctx;
}

// Goroutines lock with contexts that end at any moment. Nobody is inside with another, the lock is
// free at the end, and whoever had no context got it.
void MutexStress(int procs, uint64_t seed) {
  Procs p(procs);
  constexpr int kGoroutines = 8;
  constexpr int kRounds = GORT_TEST_SANITIZED ? 300 : 2'000;
  Mutex mu;
  int inside = 0;
  std::atomic<int> locked{0}, gave_up{0}, wrong{0};
  WaitGroup wg;
  for (int i = 0; i < kGoroutines; ++i) {
    wg.Go([&, i] {
      rt::FastRand rand(seed * 100 + static_cast<uint64_t>(i));
      for (int k = 0; k < kRounds; ++k) {
        const uint32_t r = rand.Next();
        if (i == 0) {
          mu.Lock();
        } else if (!mu.Lock(EndsAfter(r >> 8 & 7)).ok()) {
          ++gave_up;
          continue;
        }
        if (++inside != 1) ++wrong;
        SomeYields(r & 3);
        --inside;
        ++locked;
        mu.Unlock();
      }
    });
  }
  wg.Wait();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(locked + gave_up, kGoroutines * kRounds);
  EXPECT_GT(gave_up, 0);
  EXPECT_TRUE(mu.TryLock());
  mu.Unlock();
}
TEST(ContextWaitTest, MutexStressOnOneP) {
  InGort([] { MutexStress(1, 1); });
}
TEST(ContextWaitTest, MutexStressOnFourPs) {
  InGort([] { MutexStress(4, 2); });
}
TEST(ContextWaitTest, MutexStressOnEightPs) {
  InGort([] { MutexStress(8, 3); });
}

// A waiter that has waited too long is handed the lock while the only other one gives up.
TEST(ContextWaitTest, MutexIsFreeAfterAHandOverWhileTheLastWaiterGivesUp) {
  InGort([] {
    Procs p(4);
    constexpr int kRounds = GORT_TEST_SANITIZED ? 50 : 300;
    for (int i = 0; i < kRounds; ++i) {
      Mutex mu;
      CancelScope scope;
      mu.Lock();
      Probe stays([&] {
        mu.Lock();
        mu.Unlock();
      });
      Probe leaves([&] {
        if (mu.Lock(scope.context()).ok()) mu.Unlock();
      });
      const auto late = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
      while (std::chrono::steady_clock::now() < late) Yield();
      mu.Unlock();
      WaitGroup cancels;
      if (mu.TryLock()) {  // the waiter finds it taken, and turns starvation mode on
        stays.Waits();
        cancels.Go([&] { scope.Cancel(); });
        mu.Unlock();
      }
      cancels.Wait();
      ASSERT_TRUE(stays.Finish() && leaves.Finish());
      ASSERT_TRUE(mu.TryLock());
      mu.Unlock();
    }
  });
}

// The only waiter gives up while an Unlock is about to wake it; then it destroys the lock.
TEST(ContextWaitTest, MutexIsDestroyedByItsLastOwner) {
  InGort([] {
    Procs p(4);
    rt::FastRand rand(11);
    constexpr int kRounds = GORT_TEST_SANITIZED ? 1'000 : 10'000;
    int gave_up = 0;
    for (int i = 0; i < kRounds; ++i) {
      const uint32_t r = rand.Next();
      auto mu = std::make_unique<Mutex>();
      mu->Lock();
      Go([r, m = mu.get()] {
        SomeYields(r & 3);
        m->Unlock();
      });
      if (!mu->Lock(EndsAfter(r >> 2 & 3)).ok()) {
        ++gave_up;
        mu->Lock();
      }
      mu->Unlock();
    }
    EXPECT_GT(gave_up, 0);
  });
}

// One Signal for a waiter that gives up at that moment and one that stays: either the first has it,
// and says so, or the second.
void CondStress(int procs, uint64_t seed) {
  Procs p(procs);
  rt::FastRand rand(seed);
  constexpr int kRounds = GORT_TEST_SANITIZED ? 1'000 : 5'000;
  for (int i = 0; i < kRounds; ++i) {
    const uint32_t r = rand.Next();
    Mutex mu;
    Cond cond(mu);
    int waiting = 0;
    bool first_notified = false, second_notified = false;
    WaitGroup wg;
    wg.Go([&] {
      std::lock_guard l(mu);
      ++waiting;
      first_notified = cond.Wait(EndsAfter(r & 7)).ok();
    });
    wg.Go([&] {
      std::lock_guard l(mu);
      ++waiting;
      cond.Wait();
      second_notified = true;
    });
    for (bool both = false; !both; Yield()) {
      std::lock_guard l(mu);
      both = waiting == 2;
    }
    SomeYields(r >> 3 & 3);
    cond.Signal();
    for (bool one = false; !one; Yield()) {
      std::lock_guard l(mu);
      one = first_notified || second_notified;
    }
    cond.Signal();
    wg.Wait();
    ASSERT_TRUE(second_notified);
  }
}
TEST(ContextWaitTest, CondStressOnOneP) {
  InGort([] { CondStress(1, 4); });
}
TEST(ContextWaitTest, CondStressOnFourPs) {
  InGort([] { CondStress(4, 5); });
}

TEST(ContextWaitTest, WaitGroupSeesWhatWasDoneBeforeTheCancellation) {
  InGort([] {
    Procs p(4);
    rt::FastRand rand(13);
    constexpr int kRounds = GORT_TEST_SANITIZED ? 2'000 : 20'000;
    for (int i = 0; i < kRounds; ++i) {
      const uint32_t r = rand.Next();
      auto [ctx, cancel] = WithCancel(Background());
      WaitGroup wg;
      wg.Add(1);
      Go([r, &wg, cancel = cancel] {
        SomeYields(r & 3);
        wg.Done();
        cancel();
      });
      SomeYields(r >> 2 & 3);
      ASSERT_TRUE(wg.Wait(ctx).ok());
    }
  });
}

// The counter reaches 0 while waiters give up; the group goes as soon as all Waits have returned.
void WaitGroupStress(int procs, uint64_t seed) {
  Procs p(procs);
  rt::FastRand rand(seed);
  constexpr int kRounds = GORT_TEST_SANITIZED ? 1'000 : 5'000;
  for (int i = 0; i < kRounds; ++i) {
    const uint32_t r = rand.Next();
    auto wg = std::make_unique<WaitGroup>();
    wg->Add(2);
    for (int k = 0; k < 2; ++k) {
      Go([r, k, g = wg.get()] {
        SomeYields(r >> (2 * k) & 3);
        g->Done();
      });
    }
    WaitGroup waiters;
    std::atomic<int> wrong{0};
    for (int k = 0; k < 2; ++k) {
      waiters.Go([&wrong, r, k, g = wg.get()] {
        const Context ctx = EndsAfter(r >> (8 + 3 * k) & 7);
        const absl::Status waited = g->Wait(ctx);
        if (waited != absl::OkStatus() && waited != ctx.Err()) ++wrong;
      });
    }
    if ((r & 1 << 20) != 0) waiters.Wait();
    wg->Wait();
    waiters.Wait();
    ASSERT_EQ(wrong, 0);
  }
}
TEST(ContextWaitTest, WaitGroupStressOnOneP) {
  InGort([] { WaitGroupStress(1, 6); });
}
TEST(ContextWaitTest, WaitGroupStressOnFourPs) {
  InGort([] { WaitGroupStress(4, 7); });
}

TEST(ContextWaitTest, AReaderOfAnRWMutexGivesUpAndTheOthersStay) {
  InGort([] {
    RWMutex mu;
    CancelScope scope;
    mu.Lock();
    absl::Status gone, stayed;
    Probe gives_up([&] { gone = mu.RLock(scope.context()); });
    Probe stays([&] {
      stayed = mu.RLock(Background());
      mu.RUnlock();
    });
    EXPECT_EQ(gives_up.Waits(), "sync.RWMutex.RLock");
    scope.Cancel();
    EXPECT_TRUE(gives_up.Finish());
    EXPECT_EQ(gone, kCancelled);
    EXPECT_FALSE(stays.done());
    mu.Unlock();
    EXPECT_TRUE(stays.Finish());
    EXPECT_TRUE(stayed.ok());
    EXPECT_EQ(mu.RLock(scope.context()), kCancelled) << "cancelled before, though free";
    EXPECT_EQ(mu.Lock(scope.context()), kCancelled);
    EXPECT_TRUE(mu.TryLock());
    mu.Unlock();
  });
}

// The readers that a writer kept out do not have to wait for those inside.
TEST(ContextWaitTest, AWriterOfAnRWMutexGivesUpAndItsReadersGoOn) {
  InGort([] {
    for (int leave_first = 0; leave_first < 3; ++leave_first) {
      RWMutex mu;
      CancelScope scope;
      for (int i = 0; i < 3; ++i) mu.RLock();
      absl::Status gone;
      Probe writer([&] { gone = mu.Lock(scope.context()); });
      EXPECT_EQ(writer.Waits(), "sync.RWMutex.Lock");
      Probe second([&] {
        mu.Lock();
        mu.Unlock();
      });
      std::list<Probe> readers;
      for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
          mu.RLock();
          mu.RUnlock();
        });
        EXPECT_EQ(readers.back().Waits(), "sync.RWMutex.RLock");
      }
      for (int i = 0; i < leave_first; ++i) mu.RUnlock();
      scope.Cancel();
      EXPECT_TRUE(writer.Finish());
      EXPECT_EQ(gone, kCancelled);
      for (int i = leave_first; i < 3; ++i) {
        EXPECT_FALSE(second.done());
        mu.RUnlock();
      }
      for (Probe& p : readers) EXPECT_TRUE(p.Finish());
      EXPECT_TRUE(second.Finish());
      EXPECT_TRUE(mu.TryLock());
      mu.Unlock();
    }
  });
}

// Readers and writers, some with contexts that end at any moment: nobody is inside with a writer, and
// in the end the lock is free, with all its counts.
void RWMutexStress(int procs, uint64_t seed) {
  SCOPED_TRACE(seed);
  InGort([=] {
    Procs p(procs);
    RWMutex mu;
    std::atomic<int> inside{0};  // readers, or 10000 for a writer
    std::atomic<int> wrong{0}, gone{0};
    WaitGroup wg;
    for (int g = 0; g < 9; ++g) {
      wg.Go([&, g] {
        rt::FastRand rand(seed * 100 + static_cast<uint64_t>(g));
        for (int n = 0; n < kRWRounds; ++n) {
          const int mine = g % 3 == 0 ? 10000 : 1;
          auto [ctx, cancel] = WithCancel(Background());
          if (rand.N(4) == 0) wg.Go([cancel = cancel] { cancel(); });
          const bool plain = rand.N(4) == 0;
          absl::Status s;
          if (mine == 1) {
            plain ? mu.RLock() : void(s = mu.RLock(ctx));
          } else {
            plain ? mu.Lock() : void(s = mu.Lock(ctx));
          }
          if (s.ok()) {
            const int before = inside.fetch_add(mine);
            if (before >= 10000 || (mine == 10000 && before != 0)) ++wrong;
            if (rand.N(8) == 0) Yield();
            inside.fetch_sub(mine);
            mine == 1 ? mu.RUnlock() : mu.Unlock();
          } else {
            ++gone;
          }
          cancel();
        }
      });
    }
    wg.Wait();
    EXPECT_EQ(wrong, 0);
    EXPECT_GT(gone, 0);
    EXPECT_TRUE(mu.TryLock());
    EXPECT_FALSE(mu.TryRLock());
    mu.Unlock();
    EXPECT_TRUE(mu.TryRLock());
    mu.RUnlock();
  });
}

TEST(ContextWaitTest, RWMutexStressOnOneP) {
  for (uint64_t seed = 1; seed <= 3; ++seed) RWMutexStress(1, seed);
}
TEST(ContextWaitTest, RWMutexStressOnFourPs) {
  for (uint64_t seed = 1; seed <= 3; ++seed) RWMutexStress(4, seed);
}
TEST(ContextWaitTest, RWMutexStressOnEightPs) {
  for (uint64_t seed = 1; seed <= 3; ++seed) RWMutexStress(8, seed);
}

TEST(ContextWaitTest, FromAForeignThread) {
  InGort([] {
    std::atomic<bool> done{false};
    Mutex mu;
    mu.Lock();
    std::thread t = AttachedThread([&] {
      WaitGroup wg;
      wg.Add(1);
      EXPECT_FALSE(wg.Wait(EndsAfter(3)).ok());
      EXPECT_FALSE(mu.Lock(EndsAfter(3)).ok());
      Mutex own;
      Cond cond(own);
      own.Lock();
      EXPECT_FALSE(cond.Wait(EndsAfter(3)).ok());
      own.Unlock();
      done = true;
    });
    while (!done) Yield();
    t.join();
    mu.Unlock();
  });
}

}  // namespace
}  // namespace gort
