// timer/internal/bubble.h: goroutines that live by a clock of their own.
// What      a Bubble is a clock that stands still until somebody advances it, and the timers that
//           go by it. A goroutine belongs to the bubble of the one that started it (G::bubble).
//           Sleep, timers and Now of such a goroutine use the bubble. gort::testing makes bubbles
//           and advances them.
// Layer     8. Package-internal, and for netpoll/ and testing/.
// Rejected  Counting the goroutines of a bubble that are not blocked, in GoPark and GoReady, would
//           tell at once when the clock may advance; it would cost every park of every program a
//           look at its bubble. testing/ looks at all goroutines in a stopped world instead.
// Go        synctestGroup in synctest.go
#ifndef GORT_TIMER_INTERNAL_BUBBLE_H_
#define GORT_TIMER_INTERNAL_BUBBLE_H_

#include <atomic>
#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/timer/internal/timers.h"

namespace gort::rt {

// What a new bubble's clocks say: midnight UTC, 1 January 2000, and a second of monotonic time.
inline constexpr int64_t kBubbleEpochNs = 946'684'800'000'000'000;
inline constexpr int64_t kBubbleStartNs = 1'000'000'000;

// Never freed, but used again: a timer's handle may outlive the bubble.
struct Bubble {
  Bubble() { timers.of_bubble = true; }

  TimerHeap timers;
  std::atomic<int64_t> now_ns{kBubbleStartNs};  // monotonic; BubbleAdvance moves it
  std::atomic<G*> waiter{nullptr};              // testing/: parked in Wait
  Bubble* free_link = nullptr;                  // testing/
};

// The caller's bubble; null: the caller lives in real time.
inline Bubble* CurrentBubble() {
  G* gp = Getg();
  // relaxed: the caller's own.
  return gp != nullptr ? static_cast<Bubble*>(gp->bubble.load(std::memory_order_relaxed)) : nullptr;
}

// TimerReset on behalf of a goroutine of b (null: of none); the caller may be of any bubble. `when`
// is by the clock of b. A timer of another bubble stays there, with about the same delay; any other
// timer is b's from then on.
bool TimerResetIn(Bubble* b, Timer* t, int64_t when, int64_t period, bool* taken = nullptr);

// When the next timer is due; 0: there is none, or it never is.
int64_t BubbleNextTimer(Bubble* b);
// Sets the clock to `now`, if that is later, and runs what is due. The caller belongs to b; all
// other goroutines of b are parked.
void BubbleAdvance(Bubble* b, int64_t now);
// Stops all timers, for a bubble that ends. A timer of it that is armed later belongs to whoever
// arms it, also when that is a goroutine of another bubble with the same object.
void BubbleDropTimers(Bubble* b);

}  // namespace gort::rt

#endif  // GORT_TIMER_INTERNAL_BUBBLE_H_
