#include "gort/lock/rwmutex.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/lock/note.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using testing::ChildResult;
using testing::RunInChild;

TEST(RWMutex, ReadersAreInsideTogether) {
  RWMutex mu;
  Note inside, leave;
  std::thread reader([&] {
    mu.RLock();
    inside.Wakeup();
    leave.Sleep();
    mu.RUnlock();
  });
  inside.Sleep();
  mu.RLock();  // while the other one is inside
  mu.RUnlock();
  leave.Wakeup();
  reader.join();
}

TEST(RWMutex, AWriterWaitsForTheReadersInside) {
  RWMutex mu;
  std::atomic<bool> reading{true};
  mu.RLock();
  std::thread writer([&] {
    mu.Lock();
    EXPECT_FALSE(reading.load());
    mu.Unlock();
  });
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // every chance to go wrong
  reading.store(false);
  mu.RUnlock();
  writer.join();
}

// Readers check that the two plain numbers agree; writers change them one after the other.
TEST(RWMutex, WritersAreAloneAndNobodyIsLost) {
  constexpr int kReaders = 3, kWriters = 2, kRounds = 3000;
  RWMutex mu;
  int64_t a = 0, b = 0;
  std::atomic<int> readers_inside{0}, most_readers{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kWriters; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        mu.Lock();
        EXPECT_EQ(readers_inside.load(), 0);
        ++a;
        ++b;
        mu.Unlock();
      }
    });
  }
  for (int t = 0; t < kReaders; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        mu.RLock();
        int n = readers_inside.fetch_add(1) + 1;
        int most = most_readers.load();
        while (n > most && !most_readers.compare_exchange_weak(most, n)) {
        }
        EXPECT_EQ(a, b);
        readers_inside.fetch_sub(1);
        mu.RUnlock();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(a, kWriters * kRounds);
  EXPECT_EQ(b, kWriters * kRounds);
  EXPECT_LE(most_readers.load(), kReaders);
}

// Two writers that never pause: a reader gets in all the same, and the other way round.
TEST(RWMutex, NeitherSideStarves) {
  RWMutex mu;
  std::atomic<bool> stop{false};
  auto write = [&] {
    while (!stop.load()) {
      mu.Lock();
      mu.Unlock();
    }
  };
  auto read = [&] {
    while (!stop.load()) {
      mu.RLock();
      mu.RUnlock();
    }
  };
  std::thread w1(write), w2(write);
  for (int i = 0; i < 100; ++i) {
    mu.RLock();
    mu.RUnlock();
  }
  stop.store(true);
  w1.join();
  w2.join();
  stop.store(false);
  std::thread r1(read), r2(read);
  for (int i = 0; i < 100; ++i) {
    mu.Lock();
    mu.Unlock();
  }
  stop.store(true);
  r1.join();
  r2.join();
}

TEST(RWMutex, LeavingWithoutHavingEnteredIsFatal) {
  ChildResult r = RunInChild([] {
    RWMutex mu;
    mu.RUnlock();
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, kDebug ? "fatal error: unlock of a lock that this thread does not hold\n"
                             : "fatal error: runlock of unlocked rwmutex\n");
  ChildResult w = RunInChild([] {
    RWMutex mu;
    mu.Unlock();
  });
  EXPECT_EQ(w.status, 2);
  EXPECT_EQ(w.output, "fatal error: unlock of unlocked rwmutex\n");
}

TEST(RWMutex, DebugBuildsHoldReadersAndWritersToTheOrder) {
  if (!kDebug) GTEST_SKIP() << "checked in debug builds only";
  ChildResult r = RunInChild([] {
    Mutex inner(LockRank::kMheap);
    RWMutex outer(LockRank::kSched);
    inner.Lock();
    outer.RLock();
  });
  EXPECT_NE(r.output.find("lock ordering problem"), std::string::npos) << r.output;
  ChildResult twice = RunInChild([] {
    RWMutex mu;
    mu.RLock();
    mu.RLock();
  });
  EXPECT_NE(twice.output.find("lock taken twice by one thread"), std::string::npos) << twice.output;
}

}  // namespace
}  // namespace gort::rt
