// SchedEnableUser: user goroutines are kept aside while system goroutines go on, and come back in
// order.
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "gort/gmp/sched.h"
#include "gort/lock/mutex.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"

namespace gort::rt {
namespace {

int KeptAside() {
  LockGuard l(&sched.lock);
  return sched.disabled_n;
}

void YieldUntilKeptAside(int n) {
  while (KeptAside() < n) Gosched();
}

TEST(SchedEnableUser, KeepsUsersAsideWhileTheSystemGoesOn) {
  for (int procs : {1, 4}) {
    gort::Run([procs] {
      GOMAXPROCS(procs);
      std::atomic<bool> stop{false};
      std::atomic<int64_t> user_steps{0};
      std::atomic<int64_t> system_steps{0};
      WaitGroup users;
      constexpr int kUsers = 3;
      for (int i = 0; i < kUsers; ++i) {
        users.Go([&] {
          while (!stop.load()) {
            user_steps.fetch_add(1);
            Gosched();
          }
        });
      }
      WaitGroup tool;
      tool.Add(2);
      GoSystem([&] {
        GoSystem([&] {
          while (!stop.load()) {
            system_steps.fetch_add(1);
            Gosched();
          }
          tool.Done();
        });
        SchedEnableUser(false);
        YieldUntilKeptAside(kUsers);
        const int64_t user_before = user_steps.load();
        const int64_t system_before = system_steps.load();
        while (system_steps.load() < system_before + 1000) Gosched();
        EXPECT_EQ(user_steps.load(), user_before);
        SchedEnableUser(true);
        while (user_steps.load() < user_before + 1000) Gosched();
        EXPECT_EQ(KeptAside(), 0);
        stop.store(true);
        tool.Done();
      });
      tool.Wait();
      users.Wait();
      return 0;
    });
  }
}

TEST(SchedEnableUser, GivesThemBackInOrder) {
  gort::Run([] {
    GOMAXPROCS(1);
    constexpr int kUsers = 100;
    std::vector<int> order;
    WaitGroup users;
    users.Add(kUsers);
    GoSystem([&] {
      SchedEnableUser(false);
      for (int i = 0; i < kUsers; ++i) {
        Go([&, i] {
          order.push_back(i);
          users.Done();
        });
        YieldUntilKeptAside(i + 1);
      }
      EXPECT_TRUE(order.empty());
      SchedEnableUser(true);
    });
    users.Wait();
    std::vector<int> want(kUsers);
    std::iota(want.begin(), want.end(), 0);
    EXPECT_EQ(order, want);
    return 0;
  });
}

bool EveryMSleeps() {
  LockGuard l(&sched.lock);
  return sched.mnext - sched.nmfreed == sched.nmidle + sched.nmidlelocked + sched.nmsys;
}

// The last M goes to sleep while a runnable goroutine is kept aside: neither a deadlock nor a
// broken invariant, because the tool, a thread here, will let it go on.
TEST(SchedEnableUser, IsNoDeadlock) {
  gort::Run([] {
    std::thread tool([] {
      while (KeptAside() == 0 || !EveryMSleeps()) std::this_thread::yield();
      SchedEnableUser(true);
    });
    WaitGroup done;
    done.Add(1);
    GoSystem([&] {
      SchedEnableUser(false);
      Go([&] { done.Done(); });
    });
    done.Wait();
    tool.join();
    return 0;
  });
}

}  // namespace
}  // namespace gort::rt
