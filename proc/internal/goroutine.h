// proc/internal/goroutine.h: how a G is made, waits, wakes and ends, and where dead ones are kept.
// Layer     6. "g0": on an M's own stack. "P": the caller holds one.
#ifndef GORT_PROC_INTERNAL_GOROUTINE_H_
#define GORT_PROC_INTERNAL_GOROUTINE_H_

#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/wait_reason.h"

extern "C" {
// Called by gort_goexit when a goroutine's function has returned, and by Goexit when it has unwound
// to there. Go: goexit1
[[noreturn]] void gort_goexit1();
}

namespace gort::rt {

// ---- newproc.cc ----

// A new G without a stack, kGIdle. Go: malg (without the stack)
G* AllocG();
// Publishes gp on allgs. Go: allgadd
void AllGAdd(G* gp);
// Gives gp a stack, and the context of a goroutine that begins. Fatal: no memory. P, or pp null.
void BindStack(G* gp, P* pp);
// Whether that takes no call of the kernel and no page fault. P.
bool BindsAtOnce(const P* pp);
// Gives gp the stack of dying, which ends and has a stack of the default size. BeginBound then
// begins gp on that stack, when dying has been left and gp is the current G.
void BindStackOf(G* dying, G* gp);
[[noreturn]] void BeginBound(G* gp);
// Frees what gp has on the heap: its closure, if that is not on the stack, and its ancestors.
void FreeHeapParts(G* gp);

// ---- gfree.cc ----

// A dead G; null when the lists are empty. pp null: a thread without a P. Go: gfget
G* GfGet(P* pp);
// Takes gp's stack, if it has one, and keeps gp for GfGet. Go: gfput
void GfPut(P* pp, G* gp);
// All of a P's list to the global ones. Go: gfpurge
void GfPurge(P* pp);

// ---- goexit.cc ----

// Ends gp, which is no longer the current G. Go: goexit0
void GoExit0(G* gp);

// ---- park.cc ----

// Runs on the next context once gp has left its stack. Go: park_m
void ParkCommit(G* gp);
// As GoReady; next: gp runs next on this P. Go: ready
void Ready(G* gp, bool next);

// ---- foreign.cc ----

// GoPark and GoReady for the G of a thread that the runtime did not create.
void ForeignPark(G* gp, bool (*unlockf)(G*, void*), void* lock, WaitReason reason);
void ForeignReady(G* gp);

}  // namespace gort::rt

#endif  // GORT_PROC_INTERNAL_GOROUTINE_H_
