// gort/testing/testing.h: tests of concurrent programs without waiting and without luck.
// What      Run(f) runs f in a bubble: with a clock of its own, which stands still while anybody in
//           the bubble can run, and jumps to the next timer when all are blocked. A test of an hour
//           takes a moment, and no two tests differ in who was quicker. Explore runs f under many
//           schedules, each of which a seed repeats.
// Bubble    f and all goroutines that it starts, directly or not. For them Sleep, timers, tickers,
//           Now and the deadlines of contexts go by the bubble's clock, which begins at midnight
//           UTC, 1 January 2000. A goroutine counts as blocked when it waits for a channel, a
//           select, a lock of gort::sync, a WaitGroup, a Cond, a Future or a Sleep; not in a system
//           call, for I/O, or while it runs. So what it waits for must come from inside the bubble.
//           Timers made in a bubble stay in it, and are dropped when it ends; one that is Reset later
//           goes by its caller's time, as does a timer from outside that is Reset in a bubble.
//           Deadlines of connections and descriptors go by real time.
// Layer     14. Public, for tests: a program should not link it.
// Go        package testing/synctest
#ifndef GORT_TESTING_TESTING_H_
#define GORT_TESTING_TESTING_H_

#include <cstdint>
#include <functional>

namespace gort::testing {

// Runs f as a goroutine in a new bubble and returns when all goroutines of the bubble have ended.
// Time stops when f has returned: a goroutine that is blocked then can only be woken by others of
// the bubble. May be called from a goroutine or a thread, and starts the runtime if nobody has.
// What f throws is thrown here, after that. Throws Panic, and leaves the goroutines as they are,
//   "deadlock: all goroutines in bubble are blocked"  when no timer is pending either, and
//   "deadlock: main bubble goroutine has exited but blocked goroutines remain"  after f's return,
// with a list of them on stderr; when f threw, that list, and what f threw instead of the Panic. A
// timer of an infinite duration is not pending. In a bubble: Panic("gort::testing::Run called from
// within a bubble"). A failure under a seed is reported with the seed. Go: synctest.Test
void Run(const std::function<void()>& f);

// Returns when all other goroutines of the caller's bubble are blocked. Time does not advance
// meanwhile. Throws Panic outside of a bubble, and when another Wait of the bubble is going on.
// Go: synctest.Wait
void Wait();

// Calls Run(f) `schedules` times, with one P and the seeds first, first + 1, …; if GODEBUG says
// schedseed=N, once, with the seed N. An exception from Run ends it, after the line
// "gort: failed with GODEBUG=schedseed=N" on stderr. The same seed makes the same schedule, with
// the exceptions that proc/sched_seed.h names.
void Explore(int schedules, const std::function<void()>& f, uint64_t first = 1);

// Calls f on a goroutine of its own, and throws Panic if f has left goroutines behind that wait for ever:
// for a channel, a lock or the like that nothing in the program leads to any more (leak/leak.h, with its
// limits). Their tracebacks are on stderr, the Panic's text names them and who started them. Goroutines
// that can still be woken may stay. Starts the runtime if nobody has; what f throws is thrown here. Finds
// nothing under a sanitizer. Panics too where no search can be made, and in a bubble, whose Run reports
// whoever waits at its end. Parks.
void NoLeaks(const std::function<void()>& f);

// The seed of the schedule that is running; 0: none. For messages of failing tests.
uint64_t ScheduleSeed();

}  // namespace gort::testing

#endif  // GORT_TESTING_TESTING_H_
