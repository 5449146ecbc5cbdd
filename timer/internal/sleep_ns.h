// timer/internal/sleep_ns.h: Sleep, in nanoseconds.
// What      what gort::Sleep is made of, for those below it who shall not need Abseil's time.
// Layer     8. Contract as Sleep (timer/sleep.h).
#ifndef GORT_TIMER_INTERNAL_SLEEP_NS_H_
#define GORT_TIMER_INTERNAL_SLEEP_NS_H_

#include <cstdint>

namespace gort::rt {

// Sleeps d_ns nanoseconds; d_ns <= 0: returns at once. INT64_MAX and whatever reaches beyond the
// clock's end: for ever (292 years). Go: timeSleep
void SleepNs(int64_t d_ns);

}  // namespace gort::rt

#endif  // GORT_TIMER_INTERNAL_SLEEP_NS_H_
