// proc/proc_internal.h: shared by the files of proc and by runtime/boot and sysmon, not by users.
// Layer     6. "g0": only on an M's own stack. "P": the caller holds one. "lock": sched.lock is
//           held.
#ifndef GORT_PROC_PROC_INTERNAL_H_
#define GORT_PROC_PROC_INTERNAL_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/proc/p_mask.h"
#include "gort/proc/proc.h"

extern "C" {
// Called by gort_goexit when a goroutine's function has returned. Go: goexit1
[[noreturn]] void gort_goexit1();
}

namespace gort::rt {

// GoMaxProcs without taking n for the program's choice. Any goroutine or foreign thread.
int SetProcs(int n);

// ---- schedule.cc, find_runnable.cc, steal.cc ----

// Of so many decisions in a row on one P the global queue decides at least one, so that goroutines
// that keep readying each other cannot starve it. One count (P::globtick) serves every way to take a
// goroutine, with and without g0: two counts can stay out of phase for ever.
inline constexpr uint32_t kGlobalQueuePeriod = 61;
// The loop of an M; returns when mp->exiting. g0, P. Go: schedule
void ScheduleLoop(M* mp);
struct Found {
  G* gp;
  bool inherit_time;
  bool try_wake_p;
};
// Blocks until there is a goroutine to run. g0, P. Go: findRunnable
Found FindRunnable();
// A queue of a P that is not idle has work. Any context; P or not.
bool WorkInARunq();
// A goroutine that the current one may be left for without a detour over g0, already tied to mp and
// kGRunning; null: go to g0. P.
G* TakeDirect(G* gp, M* mp);
// Puts gp on the current P's queue (next: runs next). P. Go: runqput
void RunqPutLocal(P* pp, G* gp, bool next);
// Queues a runnable gp, on pp or (null) globally, and wakes a P for it if one is idle and nobody
// looks for work: the submitter's side of the protocol in find_runnable.cc.
void Submit(P* pp, G* gp, bool next);
// Go: globrunqput, globrunqputhead, globrunqputbatch, globrunqget
void GlobRunqPut(G* gp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
void GlobRunqPutHead(G* gp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
void GlobRunqPutBatch(GQueue* q, int32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
G* GlobRunqGet(P* pp, int32_t max) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Work stealing. Go: stealWork
struct Stolen {
  G* gp;
  bool inherit_time;
  int64_t poll_until;
  bool new_work;
};
Stolen StealWork(P* pp, int64_t* now);
// Resets the order in which Ps are visited. World stopped. Go: stealOrder.reset
void StealOrderReset(int32_t n);
// Puts a fresh number into mp's spinning state / leaves it, waking another if it was the last. Go:
// becomeSpinning, resetspinning
void BecomeSpinning(M* mp);
void ResetSpinning(M* mp);

// ---- m.cc ----

// Go: mcommoninit, checkmcount
void MCommonInit(M* mp, int64_t id);
void CheckMCount() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
int32_t MCount() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Entry of every M's thread: mstart0, mstart1, the loop, mexit. Returns when the thread may end.
void MStart(M* mp);
// A new M that first runs fn (null: nothing), then has pp. Go: newm
void NewM(void (*fn)(), P* pp, int64_t id);
int64_t MReserveId() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// An M to run pp (null: an idle P, if any). No P, or P. Go: startm
void StartM(P* pp, bool spinning);
// Sleeps until there is a P for this M. g0, no P. Go: stopm
void StopM();
// One more P running if there is an idle one and nobody is looking for work. Go: wakep
void WakeP();
// Gives away a P that this M cannot use. No P. Go: handoffp
void HandoffP(P* pp);
void MPut(M* mp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
M* MGet() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
void MPark(M* mp);

// ---- p.cc ----

// Ps on the idle list, whose queues are empty; changed under sched.lock. Go: idlepMask
extern PMask idlep_mask;
void PidlePut(P* pp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
P* PidleGet() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// As PidleGet for an M that will spin; asks others to look again when there was none. Go:
// pidlegetSpinning
P* PidleGetSpinning() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Ties a P to this M / unties it. Go: acquirep, releasep
void AcquireP(P* pp);
P* ReleaseP();
P* ReleasePNoStatus();
// World stopped, lock. Returns the Ps with work, linked by link. Go: procresize
P* ProcResize(int32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);

// ---- locked_m.cc ----

// Waits until the locked G is runnable, giving the P away. g0. Go: stoplockedm
void StopLockedM();
// Hands this M's P to the M that gp is locked to, and waits. g0, P. Go: startlockedm
void StartLockedM(G* gp);
void IncIdleLocked(int32_t v);

// ---- stw.cc ----

// Stops for a stop-the-world: gives up the P and sleeps. g0, P. Go: gcstopm
void GcStopM();

// ---- newproc.cc, gfree.cc, goexit.cc ----

// A dead G, with a stack as a rule: null when the lists are empty. Go: gfget
G* GfGet(P* pp);
// A dead G without a stack, for one of a size of its own: null when there is none.
G* GfGetBare();
void GfPut(P* pp, G* gp);
// All of a P's list to the global ones. Go: gfpurge
void GfPurge(P* pp);
// A new G without a stack, kGIdle. Go: malg (without the stack)
G* AllocG();
void AllGAdd(G* gp);
// Gives back the memory of stacks of dead goroutines that were not needed since the last call and
// that have been free for unused_ns. For sysmon, which calls it while StacksToScavenge.
void ScavengeStacks(int64_t unused_ns);
bool StacksToScavenge();
// Frees the closure of gp if it is not on its stack.
void FreeHeapClosure(G* gp);
// Ends gp, on another stack. Go: goexit0
void GoExit0(G* gp);

// ---- park.cc ----

// Runs on the next context once gp has left its stack. Go: park_m
void ParkCommit(G* gp);
// As GoReady; next: runnext of this P. Go: ready
void Ready(G* gp, bool next);

// ---- preempt_request.cc ----

// Asks the goroutine on pp / on every P to enter the scheduler soon. False: nothing runs there. Go:
// preemptone, preemptall
bool PreemptOne(P* pp);
bool PreemptAll();

// ---- syscall.cc ----

void WakeSysmonIfWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);

// ---- checkdead.cc ----

// Prints the scheduler's state to stderr: one line, or one for each P, M and G as well. Takes
// sched.lock. Go: schedtrace
void SchedTrace(bool detailed);

// Reports a deadlock if nothing can ever run again. Go: checkdead
void CheckDead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Has sysmon look soon, and a few times more: something that CheckDead took for a reason to wait
// has gone, or may go without telling. Takes sched.lock.
void RequestDeadCheck();
// One of these looks. For sysmon. Takes sched.lock.
void RecheckDead();
// When the next one is due, in nanoseconds from the last; -1: never.
int64_t DeadCheckDelay();
// A main goroutine exists: without one a program at rest is no deadlock.
void MainBegin();
void MainEnd();

// ---- foreign.cc ----

void ForeignPark(G* gp, bool (*unlockf)(G*, void*), void* lock, WaitReason reason);
void ForeignReady(G* gp);

// ---- schedinit.cc ----

// One step of start-up, timed; steps may contain steps.
void InitStep(const char* name, void (*fn)());
// The steps so far, in order, with their durations, when GODEBUG=inittrace=1.
void PrintInitTrace();
// Go: schedinit. On m0's thread, Getg() == &g0.
void SchedInit();
// GOMAXPROCS(n) of a process that has not come to ProcResize yet: notes n >= 1 for it, and *old is
// what it would have used. False: too late, nothing was done.
bool EarlyGoMaxProcs(int32_t n, int32_t* old);
// Binds the calling thread to m0: bounds, thread state. Before SchedInit.
void M0Init();

}  // namespace gort::rt

#endif  // GORT_PROC_PROC_INTERNAL_H_
