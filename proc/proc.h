// proc/proc.h: what packages above the scheduler may ask of it.
// What      parking and readying goroutines, pinning, spawning, system calls, GOMAXPROCS.
// Layer     6.
// Contract  | call            | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | CurrentG        |   x    | -  |  -   |    -    |    x    |   -   | first use |
//           | GoPark          |   x    | -  |  -   |    -    |    x    |   x   |     -     |
//           | GoReady         |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | Gosched         |   x    | -  |  -   |    -    |    x    |   x   |     -     |
//           | Goexit          |   x    | -  |  -   |    -    |    -    |   x   |     -     |
//           | EnterSyscall    |   x    | -  |  -   |    -    |    x    |   -   |     -     |
//           | Nanotime etc.   |   see platforms/clock.h
//           "Parks" blocks a foreign thread instead of switching it.
// Go        proc.go
#ifndef GORT_PROC_PROC_H_
#define GORT_PROC_PROC_H_

#include <cstddef>
#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/trace_hook.h"
#include "gort/gmp/wait_reason.h"
#include "gort/lock/mutex.h"

namespace gort::rt {

// ---- who am I ----

// The G of the calling context. A thread that the runtime did not create is given a G on first use,
// and the G is taken back when the thread ends, so that the thread can wait and be woken like a
// goroutine. Fatal on g0. Go: getg, needm
G* CurrentG();
// Destroys what gp, the current G, has of Locals (package local): runs code of the program, and may
// park. At the end of a goroutine, of a main function, and of a foreign thread.
void EndLocals(G* gp);
// True on a goroutine's stack (not g0, not a foreign thread).
bool OnGoroutine();

// ---- waiting ----

// Puts the current goroutine to sleep until GoReady. Once it is off its stack and kGWaiting,
// unlockf(gp, lock) runs on another stack: it must not touch gp's stack, may release runtime locks,
// and by returning false cancels the park (gp goes on at once). After it returned true gp may
// already be running elsewhere. No runtime lock may be held other than the one that unlockf
// releases. Null unlockf: park unconditionally. Go: gopark
void GoPark(bool (*unlockf)(G* gp, void* lock), void* lock, WaitReason reason);
// Parks and releases mu. Go: goparkunlock
void GoParkUnlock(Mutex* mu, WaitReason reason) ABSL_UNLOCK_FUNCTION(mu);
// Makes a waiting goroutine runnable: next on this P, if the caller has one, else on the global
// queue. One caller only may wake a G that waits. The thread of a foreign G is woken directly.
// May be called with runtime locks held that rank before sched. Go: goready
void GoReady(G* gp);
// Adds to the time that goroutines have waited for locks of the program's, for metrics. Where CurrentG
// may be called.
void CountMutexWait(int64_t ns);
// As GoReady for a whole list of kGWaiting Gs; *list is left empty. Go: injectglist
void InjectGList(GList* list, WokenBy by);

// ---- pinning ----

// Between AcquireM and ReleaseM the goroutine stays on its M and P, and must not park. They nest.
// Go: acquirem
M* AcquireM();
void ReleaseM(M* mp);
// A cooperative check point: yields if pre-emption was asked for.
void PreemptCheck();
// The same for calls that do not park: the goroutine keeps its thread, and its P goes to a thread that
// waits for one, until it comes back. Without such a thread nothing happens, and one is asked for.
// Nothing happens either while the caller is pinned. With a seed: PreemptCheck.
void PreemptCheckInPlace();

// ---- running ----

// Lets other goroutines run: this one goes to the end of the line. On a foreign thread: sched_yield.
// Go: Gosched
void Gosched();
// Ends the calling goroutine after running the destructors of the frames it leaves. Go: Goexit
[[noreturn]] void Goexit();
// Makes the thread that creates the threads of Ms from now on where the creator's must not be copied.
// Before a goroutine is wired whose thread the program may change. Go: startTemplateThread
void StartTemplateThread();
// Wires the goroutine to its thread / undoes that; the calls nest. Go: LockOSThread
void LockOSThread();
void UnlockOSThread();

// Stand around a call that may block in the kernel. Code between them must not touch the scheduler.
// Go: entersyscall, exitsyscall
void EnterSyscall();
void ExitSyscall();
// As EnterSyscall for a call that is known to block: gives the P away at once.
// Go: entersyscallblock
void EnterSyscallBlock();

// Changes the number of Ps to n, for which it stops the world, and returns the number before; n < 1
// only asks. Go: GOMAXPROCS
int GoMaxProcs(int n);
// Sets how many threads the scheduler may have, its own included, and returns the number before,
// 10000 at first. With more than that the process ends: "thread exhaustion". Go: setMaxThreads
int SetMaxThreads(int n);
// Goroutines that exist, system goroutines excluded. Go: gcount
int64_t GCount();
// Calls f(gp, arg) for each G on a free list: a dead G that is on none is about to be a new goroutine.
// World stopped, and no thread that was not made by the runtime runs: nothing is locked.
void ForEachFreeG(void (*f)(G* gp, void* arg), void* arg);
// Stops all Ps (this goroutine goes on alone) / lets them go on. Go: stopTheWorld
void StopTheWorld(WaitReason reason);
void StartTheWorld();

// Called when a timer due at `when` (monotonic nanoseconds) has become the earliest of its P:
// interrupts the M that sleeps in the poller if it would wake later, or wakes an M to do the
// polling. Go: wakeNetPoller
void WakeNetPoller(int64_t when);

// Keeps user goroutines out of the run queues / lets them back in, in order. Seam: tools that let the
// runtime's own goroutines run and no other. Go: schedEnableUser
void SchedEnableUser(bool enable);

// Counts a foreign thread that may wake goroutines, so that the deadlock report stays quiet.
void AttachExternalWaker();
void DetachExternalWaker();

}  // namespace gort::rt

#endif  // GORT_PROC_PROC_H_
