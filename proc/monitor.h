// proc/monitor.h: what sysmon asks of the scheduler.
// What      taking Ps back, the deadlock report, the SCHED line, following the CPUs. For sysmon/ only;
//           what goroutines may call stands in proc.h.
// Layer     6. An M without a P, no runtime lock held, unless a function says otherwise.
#ifndef GORT_PROC_MONITOR_H_
#define GORT_PROC_MONITOR_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/sched.h"

namespace gort::rt {

struct P;

// ---- retake ----

// Asks the goroutine on pp to enter the scheduler soon. False: pp runs no goroutine, or the
// caller's M holds pp. Go: preemptone
bool PreemptOne(P* pp);
// Finds an M, or the idle list, for a kPIdle P that belongs to the caller. Go: handoffp
void HandoffP(P* pp);
// Adds v to the count of locked Ms that wait for their G. sysmon adds -1 while it holds a P or
// goroutines that no queue shows, so that CheckDead sees an M that runs, and +1 afterwards, which
// is a check for deadlock. Go: incidlelocked
void IncIdleLocked(int32_t v);

// ---- threads (template_thread.cc) ----

// Starts the template thread if an M waits for it. A thread that is fit to be copied.
void StartTemplateThreadIfAsked();
// Whether it would start it.
bool TemplateThreadWanted();

// ---- deadlock (checkdead.cc) ----

// Reports a deadlock if no goroutine can ever run again. Any M. Go: checkdead
void CheckDead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock);
// Makes one of the looks that RequestDeadCheck asked for. Takes sched.lock.
void RecheckDead();
// When the next such look is due, in nanoseconds after the last; negative: no look is due.
int64_t DeadCheckDelay();

// ---- reports (schedtrace.cc) ----

// Prints the scheduler's state to stderr: one line, or one for each P, M and G as well. Takes
// sched.lock. Go: schedtrace
void SchedTrace(bool detailed);

// ---- following the CPUs (stw.cc) ----

// As GoMaxProcs(n), but n does not count as the program's choice, and changes nothing when the
// program has chosen by the time that the world stands. A goroutine.
int SetProcs(int n, ProcsFrom from = ProcsFrom::kCpus);

}  // namespace gort::rt

#endif  // GORT_PROC_MONITOR_H_
