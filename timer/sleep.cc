#include "gort/timer/sleep.h"

#include "absl/time/time.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/thread.h"
#include "gort/proc/proc.h"
#include "gort/timer/internal/bubble.h"
#include "gort/timer/internal/timers.h"

namespace gort {
namespace rt {
namespace {

// The timer of a Sleep, on the sleeper's stack. Nobody stops it. It is not touched after it was
// fired: by then the sleeper may have returned.
struct SleepTimer : Timer {
  explicit SleepTimer(G* g)
      : Timer([](Timer* t, uint32_t, int64_t) { return static_cast<SleepTimer*>(t)->gp; }), gp(g) {}

  G* const gp;
  Bubble* const bubble = CurrentBubble();
  int64_t wake_at = 0;
};

// Runs when the sleeper has left its stack, perhaps on another goroutine's, so that the timer
// cannot wake the sleeper too early. The sleeper's stack stays where it is until the timer has
// fired. Go: resetForSleep
bool ArmSleep(G*, void* arg) {
  auto* t = static_cast<SleepTimer*>(arg);
  TimerResetIn(t->bubble, t, t->wake_at, 0);
  return true;
}

// A foreign thread sleeps in the kernel, which is more exact.
void SleepThread(int64_t d_ns) {
  const int64_t wake_at = TimerWhen(d_ns);
  for (int64_t left = d_ns; left > 0; left = wake_at - Nanotime()) ThreadSleep(left);
}

}  // namespace

int64_t SaturatedNanoseconds(absl::Duration d) { return absl::ToInt64Nanoseconds(d); }

void SleepNs(int64_t d_ns) {
  if (d_ns <= 0) return;
  G* gp = CurrentG();
  if (gp->foreign) return SleepThread(d_ns);
  SleepTimer t(gp);
  t.wake_at = TimerWhen(d_ns);
  gp->sleep_when = t.wake_at;
  GoPark(ArmSleep, &t, WaitReason::kSleep);
}

}  // namespace rt

absl::Time Now() { return absl::FromUnixNanos(rt::UserWalltime()); }

void Sleep(absl::Duration d) { rt::SleepNs(rt::SaturatedNanoseconds(d)); }

}  // namespace gort
