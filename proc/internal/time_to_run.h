// proc/internal/time_to_run.h: how long runnable goroutines wait for their turn.
// What      of one wake-up in kStampPeriod the time is taken, and again when the goroutine's turn begins;
//           the difference goes into the histogram of the P that runs it.
// Cost      of the others: two instructions when they become runnable, two when they run.
// Layer     6. Any stack; the caller owns gp.          Go: casgstatus, gTrackingPeriod; differs: a P
//           chooses, not the goroutine, so that a G needs no count of its own
#ifndef GORT_PROC_INTERNAL_TIME_TO_RUN_H_
#define GORT_PROC_INTERNAL_TIME_TO_RUN_H_

#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"

namespace gort::rt {

// Two looks at the clock cost as much as two of the cheapest switches: less than a hundredth of all.
inline constexpr uint32_t kStampPeriod = 256;

GORT_COLD void StampRunnable(P* pp, G* gp);
// pp: the P that gp runs on from now on.
GORT_COLD void RecordTimeToRun(P* pp, G* gp);

// gp is the caller's and about to become runnable. pp: the caller's P.
GORT_ALWAYS_INLINE void WillBeRunnable(P* pp, G* gp) {
  if (GORT_UNLIKELY(--pp->counts.until_stamp == 0)) StampRunnable(pp, gp);
}
// The same of a caller that may have none: then pp is null.
GORT_ALWAYS_INLINE void WillBeRunnableAnywhere(P* pp, G* gp) {
  if (GORT_LIKELY(pp != nullptr && --pp->counts.until_stamp != 0)) return;
  StampRunnable(pp, gp);
}
// gp's turn begins.
GORT_ALWAYS_INLINE void TurnBegins(P* pp, G* gp) {
  if (GORT_UNLIKELY(gp->eh.runnable_since != 0)) RecordTimeToRun(pp, gp);
}
// gp is not runnable any more, and did not wait for a turn.
GORT_ALWAYS_INLINE void ForgetRunnable(G* gp) { gp->eh.runnable_since = 0; }

}  // namespace gort::rt

#endif  // GORT_PROC_INTERNAL_TIME_TO_RUN_H_
