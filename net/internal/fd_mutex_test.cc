#include "gort/net/internal/fd_mutex.h"

#include <atomic>
#include <list>
#include <memory>
#include <string>

#include "gort/base/attributes.h"
#include "gort/base/panic.h"
#include "gort/context/cancel_scope.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

namespace gort::rt {

struct FdMutexPeek {
  static uint32_t Units(FdMutex* mu, FdSide side) { return mu->SemaOf(side)->load(); }
};

namespace {

using testing::Eventually;
using testing::InGort;
using testing::Probe;

const int kRounds = gort::testing::Slow() ? 500 : 20'000;

TEST(FdMutex, TheLastToLeaveIsToldOnce) {
  FdMutex mu;
  EXPECT_TRUE(mu.IncRef());
  EXPECT_FALSE(mu.DecRef());
  EXPECT_EQ(mu.Lock(FdSide::kRead), FdLock::kLocked);
  EXPECT_EQ(mu.Lock(FdSide::kWrite), FdLock::kLocked);
  EXPECT_TRUE(mu.IncRefAndClose());
  EXPECT_FALSE(mu.IncRefAndClose());
  EXPECT_FALSE(mu.IncRef());
  EXPECT_EQ(mu.Lock(FdSide::kRead), FdLock::kClosed);
  EXPECT_FALSE(mu.Unlock(FdSide::kRead));
  EXPECT_FALSE(mu.DecRef());
  EXPECT_TRUE(mu.Unlock(FdSide::kWrite));
}

TEST(FdMutex, TooManyReferencesPanic) {
  FdMutex mu;
  for (int i = 0; i < (1 << 20) - 1; ++i) ASSERT_TRUE(mu.IncRef());
  EXPECT_THROW(mu.IncRef(), Panic);
  EXPECT_THROW(mu.Lock(FdSide::kRead), Panic);
  EXPECT_FALSE(mu.DecRef());
  EXPECT_TRUE(mu.IncRef());
}

TEST(FdMutex, OneHolderASide) {
  for (int procs : {1, 4}) {
    InGort([procs] {
      testing::Procs p(procs);
      FdMutex mu;
      int64_t n[2] = {0, 0};
      std::atomic<int> done{0};
      for (int g = 0; g < 8; ++g) {
        gort::Go([&, g] {
          const FdSide side = g % 2 == 0 ? FdSide::kRead : FdSide::kWrite;
          for (int i = 0; i < kRounds; ++i) {
            ASSERT_EQ(mu.Lock(side), FdLock::kLocked);
            ++n[g % 2];
            if (i % 64 == 0) testing::Yield();
            ASSERT_FALSE(mu.Unlock(side));
          }
          ++done;
        });
      }
      EXPECT_TRUE(Eventually([&] { return done == 8; }));
      EXPECT_EQ(n[0], 4 * kRounds);
      EXPECT_EQ(n[1], 4 * kRounds);
    });
  }
}

TEST(FdMutex, AWaiterLeavesTheLineWithItsContext) {
  InGort([] {
    constexpr int kWaiters = 4;
    for (uint32_t leaves = 0; leaves < 1u << kWaiters; ++leaves) {
      FdMutex mu;
      const CancelScope scope;
      std::string order, expected;
      ASSERT_EQ(mu.Lock(FdSide::kRead), FdLock::kLocked);
      std::list<Probe> probes;
      for (int i = 0; i < kWaiters; ++i) {
        const char name = static_cast<char>('a' + i);
        const bool leave = (leaves >> i & 1) != 0;
        if (!leave) expected += name;
        probes.emplace_back([&, name, leave] {
          const Context ctx = leave ? scope.context() : Background();
          if (const FdLock got = mu.Lock(FdSide::kRead, &ctx); got == FdLock::kLocked) {
            order += name;
            EXPECT_FALSE(mu.Unlock(FdSide::kRead));
          } else {
            EXPECT_EQ(got, FdLock::kGivenUp);
            EXPECT_FALSE(mu.DecRef());
          }
        });
      }
      scope.Cancel();
      uint32_t i = 0;
      for (Probe& p : probes) ASSERT_TRUE((leaves >> i++ & 1) == 0 || p.Finish());
      EXPECT_FALSE(mu.Unlock(FdSide::kRead));
      for (Probe& p : probes) ASSERT_TRUE(p.Finish());
      ASSERT_EQ(order, expected) << leaves;
      const Context over = scope.context();
      ASSERT_EQ(mu.Lock(FdSide::kRead, &over), FdLock::kLocked)
          << "no wait, no look at the context";
      ASSERT_TRUE(mu.IncRefAndClose());
      EXPECT_FALSE(mu.Unlock(FdSide::kRead));
      EXPECT_TRUE(mu.DecRef()) << "nobody has kept a reference";
    }
  });
}

// Who adds a unit for a waiter counts on its reference: it must not leave before it has the unit.
TEST(FdMutex, AWaiterThatGivesUpAtTheCloseTakesItsUnit) {
  InGort([] {
    testing::Procs p(1);
    FdMutex mu;
    const CancelScope scope;
    ASSERT_EQ(mu.Lock(FdSide::kRead), FdLock::kLocked);
    FdLock got = FdLock::kLocked;
    Probe waiter([&] {
      const Context ctx = scope.context();
      got = mu.Lock(FdSide::kRead, &ctx);
    });
    scope.Cancel();  // takes the waiter off; it runs when this goroutine lets it
    ASSERT_TRUE(mu.IncRefAndClose());
    ASSERT_TRUE(waiter.Finish());
    EXPECT_EQ(got, FdLock::kClosedReference);
    EXPECT_EQ(FdMutexPeek::Units(&mu, FdSide::kRead), 0u);
    EXPECT_FALSE(mu.Unlock(FdSide::kRead));
    EXPECT_FALSE(mu.DecRef());
    EXPECT_TRUE(mu.DecRef());
  });
}

// Waiters give up while the lock goes from hand to hand: nobody sleeps beside a free lock, and each
// reference comes back.
TEST(FdMutex, GivingUpRacesWithTheTurn) {
  for (int procs : {1, 4}) {
    InGort([procs] {
      testing::Procs p(procs);
      FdMutex mu;
      std::atomic<int> done{0}, locked{0}, left{0};
      int64_t inside = 0;
      for (int g = 0; g < 6; ++g) {
        gort::Go([&, g] {
          for (int i = 0; i < kRounds / 10; ++i) {
            const auto [ctx, cancel] = WithCancel(Background());
            if (g % 2 == 0) gort::Go([cancel = cancel] { cancel(); });
            if (mu.Lock(FdSide::kWrite, &ctx) == FdLock::kLocked) {
              EXPECT_EQ(++inside, 1);
              if (i % 3 == 0) testing::Yield();
              --inside;
              ASSERT_FALSE(mu.Unlock(FdSide::kWrite));
              ++locked;
            } else {
              ASSERT_FALSE(mu.DecRef());
              ++left;
            }
            cancel();
          }
          ++done;
        });
      }
      EXPECT_TRUE(Eventually([&] { return done == 6; }));
      EXPECT_EQ(locked + left, 6 * (kRounds / 10));
      ASSERT_TRUE(mu.IncRefAndClose());
      EXPECT_TRUE(mu.DecRef());
    });
  }
}

// Readers, writers and counters come and go while it is closed: one of all is the last.
TEST(FdMutex, CloseRacesWithEverything) {
  InGort([] {
    testing::Procs p(4);
    for (int round = 0; round < kRounds / 10; ++round) {
      auto mu = std::make_shared<FdMutex>();
      auto last = std::make_shared<std::atomic<int>>(0);
      auto done = std::make_shared<std::atomic<int>>(0);
      for (int g = 0; g < 6; ++g) {
        gort::Go([=] {
          const FdSide side = g % 2 == 0 ? FdSide::kRead : FdSide::kWrite;
          for (int i = 0; i < 20; ++i) {
            const FdLock got = mu->Lock(side);
            if (got == FdLock::kClosed) break;
            if (i % 3 == 0) testing::Yield();
            *last += got == FdLock::kLocked ? mu->Unlock(side) : mu->DecRef();
            if (got == FdLock::kClosedReference) break;
          }
          ++*done;
        });
      }
      testing::Yield();
      ASSERT_TRUE(mu->IncRefAndClose());
      *last += mu->DecRef();
      ASSERT_TRUE(Eventually([&] { return *done == 6; }));
      ASSERT_EQ(*last, 1);
    }
  });
}

}  // namespace
}  // namespace gort::rt
