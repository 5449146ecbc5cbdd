// timer/internal/timers.h: timers of the runtime, kept in one heap per P.
// What      TimerReset arms a timer, TimerStop disarms it; when it is due, whichever M looks at the
//           heap first (the scheduler does, through hook check_timers) calls its `fire`.
// Layer     8.                                                              Go: time.go (runtime)
// Lazy      Stopping marks, it does not search: the entry stays in the heap as a zombie. Arming for
//           later marks too: the entry is moved when it comes to the top. Arming for earlier adds a
//           second entry. So a timer may have several entries, of which the one whose time equals
//           Timer::key counts. Zombies at either end of the array go at once, and when they are
//           more than half the heap is swept: memory stays within twice what the live timers need.
// Rejected  A position kept in each timer, for removal on the spot: sifting would write to a timer
//           per level, and a connection that moves its deadline with every packet would sift every
//           time. A lock per timer, as Go has since 1.23: with marks the heap's critical sections
//           are a few instructions, and one lock guards all there is to reason about.
// Invariant under TimerHeap::mu, whenever it is free:
//           - the top entry counts and is exact, so P::timer0_when is the next time, not a guess;
//           - a live timer (when != 0) has exactly one entry that counts, at key <= when;
//           - TimerHeap::live == P::num_timers == number of live timers.
// Contract  | call        | user G | g0 | no P | gsignal | foreign | parks | allocates        |
//           | TimerReset  |   x    | x  |  x   |    -    |    x    |   -   | heap growth (OS) |
//           | TimerStart  |   x    | x  |  x   |    -    |    x    |   -   | heap growth (OS) |
//           | TimerSleep  |   -    | x  |  -   |    -    |    -    |   -   | heap growth (OS) |
//           | TimerStop   |   x    | x  |  x   |    -    |    x    |   -   |        -         |
//           Locks held by the caller must rank before timers. Without a P: the heap of allp[0].
//           The scheduler's structures must exist (CurrentG makes them on a foreign thread).
#ifndef GORT_TIMER_INTERNAL_TIMERS_H_
#define GORT_TIMER_INTERNAL_TIMERS_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/lock/mutex.h"
#include "gort/timer/internal/timer_heap.h"

namespace gort::rt {

struct Bubble;
struct TimerHeap;

inline constexpr int64_t kTimerDropped = -1;

// One timer. Its owner allocates it and sets the first group.
struct Timer {
  // Called when due, without locks, on g0 or a goroutine whose M has a P; must not park. `seq` is
  // Timer::seq at the moment the timer was taken from the heap: a callback that must not act after
  // a later Reset or Stop compares. `due` is when it was due, by the clock that it goes by, or
  // kTimerDropped: it is not due and never will be, its bubble ends. May return a kGWaiting goroutine
  // for the caller to make runnable; those of one check run in the order of their times.
  using Fire = G* (*)(Timer* t, uint32_t seq, int64_t due);

  constexpr explicit Timer(Fire f) : fire(f) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  const Fire fire;
  // Called when the last reference is gone, on any stack, without locks. Null: not counted; such a
  // timer is armed once, never stopped, and not touched once its goroutine may run, which may free
  // it.
  void (*release)(Timer*) = nullptr;  // const after init
  // atomic; the owner's references, one for the heap while it has entries, one per call of fire
  std::atomic<int32_t> refs{1};

  // atomic: the heap this timer belongs to; changes only under that heap's lock, and only while
  // there is no entry or the entries move too. pairs with: LockHeapOf
  std::atomic<TimerHeap*> ts{nullptr};
  int64_t when = 0;             // guarded by ts->mu; monotonic ns; 0: not armed
  int64_t period = 0;           // guarded by ts->mu; ns; 0: once
  int64_t key = 0;              // guarded by ts->mu; time of the entry that counts; 0: none does
  uint32_t n_entries = 0;       // guarded by ts->mu
  uint32_t seq = 1;             // guarded by ts->mu; counts Reset and Stop
  uint32_t fire_seq = 0;        // guarded by ts->mu; seq when last taken from the heap to be fired
  uint32_t epoch = UINT32_MAX;  // guarded by ts->mu; TimerHeap::epoch when armed or made in *ts
  bool swept = false;           // guarded by ts->mu; mark of Sweep
  // guarded by ts->mu; it has been taken from a heap to be fired. Until then refs are the owner's,
  // and the heap's while it has entries, no others.
  bool fired = false;
  Timer* free_link = nullptr;  // whoever dropped the last reference
};

// The timers of one P. There is one per possible P from the start (index: P::id), so that nobody
// has to make one; an unused one costs no memory but its own bytes.
struct alignas(64) TimerHeap {
  Mutex mu{LockRank::kTimers};
  P* pp ABSL_GUARDED_BY(mu) = nullptr;  // set at the first use
  WhenHeap heap ABSL_GUARDED_BY(mu);
  int64_t live ABSL_GUARDED_BY(mu) = 0;  // may be negative while timers move between heaps
  // Counts the bubbles that have ended and had this heap: their timers are not the next one's.
  uint32_t epoch ABSL_GUARDED_BY(mu) = 0;
  bool behind ABSL_GUARDED_BY(mu) = false;  // the last look left timers that are due
  bool of_bubble = false;                   // const after init; a bubble's: its timers stay in it
};

TimerHeap* TimerHeapOf(const P* pp);

// The clocks that the calling goroutine lives by: Nanotime() and Walltime(), or its bubble's
// (timer/internal/bubble.h).
int64_t UserNanotime();
int64_t UserWalltime();

// `now + d` for a delay in nanoseconds: at once when d <= 0, INT64_MAX where it would overflow.
int64_t TimerWhen(int64_t d_ns);

// Arms t for `when` (monotonic ns, > 0; then every `period` ns if period > 0), whatever it was
// before. True when it was armed, i.e. its earlier run will not happen any more. Sets *taken (may
// be null) when t was taken from the heap to be fired and nobody called Reset or Stop since: its
// `fire` may be waiting, running or over. Go: modify
bool TimerReset(Timer* t, int64_t when, int64_t period, bool* taken = nullptr);

// TimerReset for the clock of the caller, of a timer that was never armed and that nobody else
// knows yet.
void TimerStart(Timer* t, int64_t when, int64_t period);

// Makes gp, which waits, runnable at `when` by the clock of bubble (null: by real time). Needs no
// timer, and nobody can stop it; a bubble that ends forgets it.
void TimerSleep(Bubble* bubble, G* gp, int64_t when);

// Disarms t. Result and *taken as above. Go: stop
bool TimerStop(Timer* t, bool* taken = nullptr);

// Drops a reference; the last one calls release. Only for counted timers.
void TimerUnref(Timer* t);

// Hook check_timers (gmp/sched_hooks.h): runs what is due at `now` (0: read the clock), a few at a
// time: when the caller's P has goroutines to run, the rest waits for the next look, and the time
// returned is in the past.
// Go: checkTimers, (*timers).run
int64_t CheckTimers(P* pp, int64_t now, bool* ran);
// Hook adopt_timers. Go: (*timers).take
void AdoptTimers(P* from, P* to);

// Sets both hooks. Before a second M runs; again is harmless.
void TimersInstall();

}  // namespace gort::rt

#endif  // GORT_TIMER_INTERNAL_TIMERS_H_
