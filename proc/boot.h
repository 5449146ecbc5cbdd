// proc/boot.h: what the runtime's start-up and gort::Run ask of the scheduler.
// What      bringing m0 and the scheduler's structures up, starting the Ms' loops, and counting the
//           main functions. For runtime/ only; what goroutines may call stands in proc.h.
// Layer     6. The thread that starts the runtime, unless a function says otherwise.
#ifndef GORT_PROC_BOOT_H_
#define GORT_PROC_BOOT_H_

#include <cstdint>

namespace gort::rt {

struct M;
struct P;

// ---- schedinit.cc: the steps of start-up ----

// Runs fn as the step `name` of start-up and takes its time; steps may contain steps.
void InitStep(const char* name, void (*fn)());
// Prints the steps so far, in order, with their durations, when GODEBUG=inittrace=1.
void PrintInitTrace();
// Go: schedinit. On m0's thread, Getg() == &g0.
void SchedInit();

// ---- m.cc: the first Ms ----

// Binds the calling thread to m0: stack bounds, thread state. Before SchedInit.
void M0Init();
// The whole life of an M's thread: mstart0, mstart1, the loop, mexit. Returns when the thread may
// end.
void MStart(M* mp);
// Creates a thread for a new M, which runs fn first (null: no function) and then needs pp. id: from
// MReserveId; negative: the next one. Any goroutine or g0. Go: newm
void NewM(void (*fn)(), P* pp, int64_t id);
// Starts an M on an idle P, if there is one and no M is looking for work. Any stack, with or
// without a P. Go: wakep
void WakeP();

// ---- checkdead.cc: main functions ----

// A main function begins / ends. Any thread. While none runs, a program at rest is no deadlock.
void MainBegin();
void MainEnd();

}  // namespace gort::rt

#endif  // GORT_PROC_BOOT_H_
