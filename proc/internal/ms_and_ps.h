// proc/internal/ms_and_ps.h: how Ms come, sleep, wake and go, and how they get and lose their Ps.
// Layer     6. "g0": on an M's own stack. "P": the caller holds one; "no P": it must hold none.
#ifndef GORT_PROC_INTERNAL_MS_AND_PS_H_
#define GORT_PROC_INTERNAL_MS_AND_PS_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/g.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/proc/p_mask.h"

namespace gort::rt {

// ---- m.cc (NewM, MStart, WakeP: boot.h) ----

// Makes an M without a P, which will be idle. False: the process may have no more threads.
bool MakeSpareM();
// Makes the thread of mp, which NewM has filled. The end of NewM. Go: newm1
void MCreateThread(M* mp);
// Gives mp its id (negative: the next one) and its random state, and publishes it on allm.
// Go: mcommoninit, checkmcount
void MCommonInit(M* mp, int64_t id);
void CheckMCount() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Ms that exist.
int32_t MCount() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
int64_t MReserveId() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Wakes or creates an M to run pp (null: an idle P, if any). With or without a P. Go: startm
void StartM(P* pp, bool spinning);
// Sleeps until there is a P for this M. g0, no P. Go: stopm
void StopM();
// The list of idle Ms. Go: mput, mget
void MPut(M* mp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
M* MGet() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Sleeps on mp's note, once. mp's own thread. Go: mPark
void MPark(M* mp);

// ---- p.cc (HandoffP: monitor.h) ----

// Ps on the idle list, whose queues are empty; changed under sched.lock. Go: idlepMask
extern PMask idlep_mask;
void PidlePut(P* pp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
P* PidleGet() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// As PidleGet for an M that will spin; asks others to look again when there was none.
// Go: pidlegetSpinning
P* PidleGetSpinning() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Counts pp, which is the caller's, as stopped while the world is being stopped.
void PutAsideForStop(P* pp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Ties an idle P to this M / unties it. Go: acquirep, releasep
void AcquireP(P* pp);
P* ReleaseP();
P* ReleasePNoStatus();
// Ends sysmon's deep sleep, if it is in one.
void WakeSysmonIfWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);

// ---- procresize.cc ----

// Makes n Ps of any number. World stopped. Returns the Ps with work, linked by link. Go: procresize
P* ProcResize(int32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);

// ---- schedinit.cc ----

// GOMAXPROCS(n) of a process that has not come to ProcResize yet: notes n >= 1 for it, and *old is
// what it would have used. False: too late, nothing was done.
bool EarlyGoMaxProcs(int32_t n, int32_t* old);

// ---- stw.cc (GoMaxProcs: proc.h, SetProcs: monitor.h) ----

// Notes that the program chooses n >= 1 Ps; *old is how many there are. True: there are not n, nor
// about to be, and the caller shall stop the world for them. In one step with StartTheWorld's
// change, so that following the CPUs cannot undo the choice.
bool NoteChoice(int32_t n, int32_t* old);

// ---- locked_m.cc (IncIdleLocked: monitor.h) ----

// Waits until the locked G is runnable, giving the P away. g0. Go: stoplockedm
void StopLockedM();
// Hands this M's P to the M that gp is locked to, and waits. g0, P. Go: startlockedm
void StartLockedM(G* gp);
// Hands pp, kPIdle and the caller's, to the M that gp is wired to, where gp runs next. That M counts as
// running since gp left its queue (nmidlelocked).
void HandToWired(P* pp, G* gp);

// ---- stay.cc (the rest: stay.h) ----

// Takes the goroutine from the global queue that has waited longest with its thread since it was cut
// off; null: there is none. Such a goroutine may hold what the creation of a thread needs, a lock of
// malloc's or the loader's, so a P goes to it rather than to an M that has no thread yet. Its M counts as
// running from here on: CheckDead must not meet a runnable goroutine that is in no queue.
G* TakeWiredWaiter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);

// ---- template_thread.cc (StartTemplateThreadIfAsked: monitor.h) ----

// Has the template thread make an M without a P, which will be idle, unless one is on its way.
void AskForSpareM() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Whether a P waits for an M whose thread is being made, or has not come to its scheduling loop.
// CountBirths: n more of them; up in one step with the look for a goroutine that was cut off.
bool BirthsPending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
void CountBirths(int n);
// Leaves mp, which has no thread yet, to the template thread when a thread made here would inherit
// what is the caller's alone, and whenever there is a template thread: the creation may wait for a
// lock that a goroutine without a P holds, and the caller must not wait with it. False: the caller
// shall make it (MCreateThread). g0 or a foreign thread.
bool LeaveToTemplateThread(M* mp);

// ---- stw.cc ----

// Stops for a stop-the-world: gives up the P and sleeps. g0, P. Go: gcstopm
void GcStopM();

// ---- preempt_request.cc (PreemptOne: monitor.h) ----

// PreemptOne for every running P. False: no P ran a goroutine. Go: preemptall
bool PreemptAll();

// ---- checkdead.cc (the rest: monitor.h, boot.h) ----

// Has sysmon look for a deadlock soon, and a few times more: something that CheckDead took for a
// reason to wait has gone, or may go without telling. Takes sched.lock.
void RequestDeadCheck();

}  // namespace gort::rt

#endif  // GORT_PROC_INTERNAL_MS_AND_PS_H_
