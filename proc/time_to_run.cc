#include "gort/proc/internal/time_to_run.h"

#include <atomic>

#include "gort/gmp/sched.h"
#include "gort/platforms/clock.h"

namespace gort::rt {
namespace {

// Of 32 bits: a wait of more than four and a half minutes is taken for a shorter one.
constexpr int kStampShift = 6;
uint32_t Now() { return static_cast<uint32_t>(Nanotime() >> kStampShift); }

// Whether it is the turn of a wake-up by somebody without a P.
bool IsTurnWithoutP() {
  return sched.wakeups_without_p.fetch_add(1, std::memory_order_relaxed) % kStampPeriod == 0;
}

}  // namespace

void StampRunnable(P* pp, G* gp) {
  if (pp != nullptr) {
    pp->counts.until_stamp = kStampPeriod;
  } else if (!IsTurnWithoutP()) {
    return;
  }
  const uint32_t now = Now();
  gp->eh.runnable_since = now != 0 ? now : 1;
}

void RecordTimeToRun(P* pp, G* gp) {
  const uint32_t waited = Now() - gp->eh.runnable_since;
  gp->eh.runnable_since = 0;
  pp->counts.time_to_run.Add(uint64_t{waited} << kStampShift);
}

}  // namespace gort::rt
