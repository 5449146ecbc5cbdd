#include "gort/netpoll/testing/poller_fake.h"

#include <atomic>
#include <cerrno>

#include "absl/base/thread_annotations.h"
#include "gort/base/throw.h"
#include "gort/lock/mutex.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/futex.h"

namespace gort::rt {
namespace {

// Not ranked: PollerBreak may be called with any lock held, and this one is innermost.
struct Fake {
  Mutex mu;
  PollEvent queue[kFakePollerEvents] ABSL_GUARDED_BY(mu) = {};
  int n ABSL_GUARDED_BY(mu) = 0;
  bool broken ABSL_GUARDED_BY(mu) = false;  // a break that no wait has consumed
  FakePollerStats stats ABSL_GUARDED_BY(mu);
};
constinit Fake fake;

// atomic: counts what a waiting poll must look at. pairs with: FutexSleep in PollerPoll
constinit std::atomic<uint32_t> changes{0};

void Changed() {
  changes.fetch_add(1);
  FutexWake(&changes, 1);
}

int Take(PollEvent* out, int n, bool wait, bool* broken) {
  LockGuard l(&fake.mu);
  int filled = 0;
  while (filled < n && filled < fake.n) {
    out[filled] = fake.queue[filled];
    ++filled;
  }
  for (int i = filled; i < fake.n; ++i) fake.queue[i - filled] = fake.queue[i];
  fake.n -= filled;
  *broken = fake.broken;
  if (wait) fake.broken = false;
  return filled;
}

void Count(int64_t delay_ns) {
  LockGuard l(&fake.mu);
  ++fake.stats.polls;
  if (delay_ns == 0) return;
  ++fake.stats.waits;
  fake.stats.last_wait = delay_ns;
  fake.stats.waiting = 1;
}

}  // namespace

void PollerInit() {}
int PollerAdd(int, uint64_t) { return 0; }
int PollerRemove(int) { return 0; }

int PollerPoll(int64_t delay_ns, PollEvent* events, int n) {
  Count(delay_ns);
  const bool wait = delay_ns != 0;
  const int64_t until = delay_ns > 0 ? Nanotime() + delay_ns : 0;
  int got;
  for (;;) {
    const uint32_t seen = changes.load();
    bool broken;
    got = Take(events, n, wait, &broken);
    if (!wait || got != 0 || broken) break;
    const int64_t left = delay_ns > 0 ? until - Nanotime() : -1;
    if (delay_ns > 0 && left <= 0) break;
    FutexSleep(&changes, seen, left);
  }
  if (wait) {
    LockGuard l(&fake.mu);
    fake.stats.waiting = 0;
  }
  return got;
}

void PollerBreak() {
  {
    LockGuard l(&fake.mu);
    ++fake.stats.breaks;
    fake.broken = true;
  }
  Changed();
}

void FakePollerInject(uint64_t token, uint32_t mode) {
  {
    LockGuard l(&fake.mu);
    if (fake.n == kFakePollerEvents) Throw("fake poller: too many events");
    fake.queue[fake.n++] = PollEvent{token, mode};
  }
  Changed();
}

FakePollerStats FakePollerRead() {
  LockGuard l(&fake.mu);
  return fake.stats;
}

}  // namespace gort::rt
