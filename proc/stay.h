// proc/stay.h: goroutines that lose their P against their will.
// What      such a goroutine must not be able to tell this from a thread that loses its CPU to another.
//           So only the P leaves. The goroutine keeps its thread, its stack and its registers:
//
//             it computes       a signal interrupts it. The handler gives the P away and waits for
//                               one (StayWithoutP). Nobody runs on the thread meanwhile.
//             it waits in the   another thread takes the P, without a signal (TakePFromSleeper).
//             kernel            When the goroutine comes back it goes on without a P, and gets one
//                               as soon as it calls a function of gort that needs one; if it
//                               computes instead for a time slice, a signal makes it wait for one.
//             it computes, and  as the last: another thread takes the P. It computes on beside the
//             blocks our signal one that got that, as a thread would.
//
//           That is right wherever the goroutine is: in malloc with its lock held, between two
//           instructions that change a variable of the thread, under qsort, in a library without
//           symbols, on another stack. Whoever needs what it holds waits in the kernel, and gives
//           its own P away by that. Only where gort itself works for the goroutine nothing is taken
//           (platforms/pins.h).
// Price     a thread for each goroutine that lost its P and is not done, and a switch of threads.
// State     without a P such a goroutine is kGSyscall and its M's p is null, as in a system call;
//           ThreadPins::lost is set. Waiting in the handler it is kGRunnable in the global queue,
//           wired to its thread, and G::signal_context is what was interrupted.
// Rejected  moving the goroutine to another thread, which is right for code that can be shown to keep
//           nothing in its thread: the proof needs the name of every function on the stack, and was
//           wrong for locks that know their owner, for thread-local counts, and for libraries that
//           are linked statically or have no symbols.
// Layer     6. For preempt/ and sysmon/; in proc for the stop of the world.
#ifndef GORT_PROC_STAY_H_
#define GORT_PROC_STAY_H_

#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/platforms/sigctx.h"

namespace gort::rt {

// Prepares TakePFromSleeper. Once, by the monitor's thread before it begins.
void StayInit();

// Whether gp, of which a signal handler has interrupted the calling thread, is a goroutine and in
// its own code.
bool RunsProgram(const G* gp);

enum class HasP : uint8_t { kYes, kLost, kNever };
// kNever: gp is in a system call of EnterSyscall. The answer to kYes may be kLost a moment later.
// RunsProgram(gp), pinned.
HasP JudgeP(G* gp);

enum class Gave : uint8_t {
  kYes,
  kLost,    // another thread took the P first
  kNobody,  // nobody is there to take it: it stays. A thread that can is asked for.
};
// The P leaves the calling thread, which runs gp, and goes to an M that has a thread: an idle one, or
// that of the goroutine that was cut off longest ago. Not to a new one: the interrupted code may hold
// what the creation of a thread needs. When as many goroutines wait with their threads as may, no
// thread is asked for: gp then takes the place of the one that gets the P, which Sched::exchanged
// counts. So whoever spins on what a waiter holds is itself cut off for that waiter in the end.
// wait_at: what was interrupted, if gp is to wait for a P in StayWithoutP, and is runnable from here
// on; null: gp goes on without. Signal handler, pinned.
Gave GivePAway(G* gp, const SigCtx* wait_at);

// For a goroutine that is about to give way to other threads: gives its P away, if somebody waits for
// it or the world is to stop, and goes on without. Anywhere; nothing happens but in the program's code
// of a goroutine.
void YieldP();

// Waits in the handler until there is a P for gp, which has lost its own, in GivePAway or before.
// False: gp lost it before, and may not wait, because a P waits for a thread to begin, and that
// perhaps for what gp holds. Signals for the thread wait as well, as they do for a thread that waits
// for a CPU; so a handler of the application's may leave by siglongjmp(3). ctx: what was interrupted.
// Signal handler, with all signals blocked, pinned.
bool StayWithoutP(G* gp, const SigCtx& ctx);

enum class Sleeper : uint8_t {
  kAwake,  // it runs, or the system does not let us take Ps so: a signal has to ask it
  kTaken,
  kLater,  // it sleeps, but nobody is there to take the P, or the thread is pinned
};
// Takes pp from its M if the M's thread waits in the kernel, in a call that nobody announced, or
// has used its CPU for a millisecond and not answered our signal, and hands it on. cpu_before: the
// thread's CPU time at an earlier look. An M, or sysmon, which counts as running meanwhile.
Sleeper TakePFromSleeper(P* pp, int64_t cpu_before);
// For mp, whose thread has slept for a time slice and keeps its P because it is pinned, as who has stopped
// the world is: what it waits for, a lock of the C library's as it may be, one of those that wait for a P
// may hold. If it is pinned one of these goes on without a P for a while. sysmon.
void HelpPinned(M* mp);

// Calls f, which may wait for what a goroutine holds that was cut off (a lock of malloc's, to make a thread):
// meanwhile none is cut off, and those that were go on first, without a P. False, and f was not called: they
// are not through with that in 2 ms. sysmon, on which all of them depend otherwise.
bool WithNobodyWaiting(void (*f)());

// Interrupts goroutines that have been computing for half a time slice since they lost their P, which
// makes them wait for one. Returns when to call it again: rarely while they all sleep. sysmon.
int64_t CatchUp(int64_t now, int64_t slice_ns);

}  // namespace gort::rt

#endif  // GORT_PROC_STAY_H_
