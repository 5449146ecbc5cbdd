// Moments that look like a deadlock and are none: no goroutine runs and no queue holds one, but one
// is on its way.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/lock/mutex.h"
#include "gort/net/net.h"
#include "gort/netpoll/internal/netpoll.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/runtime.h"
#include "gort/sysmon/sysmon.h"

namespace gort::rt {
namespace {

GList (*real_netpoll)(int64_t delay_ns);
std::atomic<bool> sysmon_has_it{false};

// Every M but sysmon's sleeps.
bool OthersSleep() {
  LockGuard l(&sched.lock);
  return sched.nmidle == sched.mnext - sched.nmfreed - sched.nmsys;
}

// A stand-in for the poller in which sysmon finds the goroutine, and keeps it for as long as
// another M runs.
GList NetpollOfSysmon(int64_t delay_ns) {
  if (Getg()->m->mstartfn != &Sysmon) return delay_ns == 0 ? GList() : real_netpoll(delay_ns);
  GList list = real_netpoll(0);
  if (!list.empty()) {
    sysmon_has_it.store(true);
    while (!OthersSleep()) usleep(100);
  }
  return list;
}

TEST(NoFalseDeadlock, WhileSysmonHoldsWhatThePollerGave) {
  // Set before the runtime sets it, so that no second M sees the change.
  NetpollInstall();
  real_netpoll = sched_hooks.netpoll;
  sched_hooks.netpoll = &NetpollOfSysmon;
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  bool got = false;
  gort::Run([&] {
    GOMAXPROCS(1);
    Chan<bool> readable = MakeChan<bool>();
    Go([&] { readable.Send(WaitReadable(pipe_fds[0]).ok()); });
    while (sched.netpoll_waiters.load() == 0) Gosched();
    EXPECT_EQ(write(pipe_fds[1], "x", 1), 1);
    // The main goroutine keeps the only P, so that no M polls before sysmon does.
    while (!sysmon_has_it.load()) {
    }
    got = readable.Recv().value_or(false);
    return 0;
  });
  EXPECT_TRUE(got);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

// New threads, which the runtime does not know yet, act just when the last M goes to sleep: each
// calls act(i) after a short time that differs, and wait(i) is called between them.
template <class Wait, class Act>
void Strangers(int rounds, Wait wait, Act act) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int> spins(0, 1000);
  for (int i = 0; i < rounds; ++i) {
    const int spin = spins(random);
    std::thread stranger([&act, spin, i] {
      for (std::atomic<int> n{0}; n.load() < spin; n.fetch_add(1)) {
      }
      act(i);
    });
    wait(i);
    stranger.join();
  }
}

TEST(NoFalseDeadlock, WhileAStrangerMakesAGoroutine) {
  constexpr int kRounds = 5000;
  int got = 0;
  gort::Run([&] {
    GOMAXPROCS(1);
    Chan<int> values = MakeChan<int>();
    Strangers(
        kRounds, [&](int) { got += values.Recv().value_or(0); },
        [&](int) { Go([values]() mutable { values.Send(1); }); });
    return 0;
  });
  EXPECT_EQ(got, kRounds);
}

TEST(NoFalseDeadlock, WhileAStrangerClosesWhatSomebodyReads) {
  constexpr int kBatches = 5;
  constexpr int kRounds = 500;  // as many descriptors at a time
  int closed = 0;
  gort::Run([&] {
    GOMAXPROCS(1);
    for (int batch = 0; batch < kBatches; ++batch) {
      std::vector<Listener> listeners(kRounds);
      for (Listener& l : listeners) l = *Listen("tcp", "127.0.0.1:0");
      Strangers(
          kRounds, [&](int i) { closed += listeners[i].Accept().ok() ? 0 : 1; },
          [&](int i) { listeners[i].Close().IgnoreError(); });
    }
    return 0;
  });
  EXPECT_EQ(closed, kBatches * kRounds);
}

}  // namespace
}  // namespace gort::rt
