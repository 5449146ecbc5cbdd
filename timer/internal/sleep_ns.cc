#include "gort/timer/internal/sleep_ns.h"

#include "gort/gmp/g.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/thread.h"
#include "gort/proc/proc.h"
#include "gort/timer/internal/bubble.h"
#include "gort/timer/internal/timers.h"

namespace gort::rt {
namespace {

// Runs when the sleeper has left its stack, perhaps on another goroutine's, so that it is not woken
// too early. Go: resetForSleep
bool ArmSleep(G* gp, void* bubble) {
  TimerSleep(static_cast<Bubble*>(bubble), gp, gp->sleep_when);
  return true;
}

// A foreign thread sleeps in the kernel, which is more exact.
void SleepThread(int64_t d_ns) {
  const int64_t wake_at = TimerWhen(d_ns);
  for (int64_t left = d_ns; left > 0; left = wake_at - Nanotime()) ThreadSleep(left);
}

}  // namespace

void SleepNs(int64_t d_ns) {
  if (d_ns <= 0) return;
  G* gp = CurrentG();
  if (gp->foreign) return SleepThread(d_ns);
  gp->sleep_when = TimerWhen(d_ns);
  GoPark(ArmSleep, CurrentBubble(), WaitReason::kSleep);
}

}  // namespace gort::rt
