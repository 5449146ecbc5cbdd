// gmp/status.h: the states of G and P, and the only functions that change a G's.
// What      a status is an ownership token. The thread that may move an object out of a state owns
//           what the state protects. The move hands the ownership on (release); the next owner
//           takes it over (acquire).
//
//   G state      who owns the G, its stack and its context
//   kGIdle       newproc, which just allocated it; nothing is initialised
//   kGRunnable   the run queue it is on, or whoever took it from there; no M, context saved
//   kGRunning    the M it is tied to (g.m, m.curg) together with that M's P
//   kGSyscall    the M it is tied to; it has no P and must not touch the run queues
//   kGWaiting    the thing it waits for (channel, semaphore, timer, note); GoReady takes it over
//   kGDead       a free list, or newproc/goexit; may or may not have a stack
//   kGCopystack  never used: C++ stacks do not move; kept so that the numbers are Go's
//   kGPreempted  whoever suspended it. Seam: a collector, which suspends goroutines to look at their
//                stacks; no G is in this state today
//   kGFresh | Runnable   as kGRunnable, of a G that has no stack yet. It is never frozen.
//   kGScan | s   the scanner owns the stack; the state s is frozen and nobody may leave it. Nobody
//                freezes kGRunning, kGDead and kGFresh: their owners leave them by a store.
//
//   Legal:  Idle->Dead  Dead->{Runnable,Running}  Runnable->Running
//           Running->{Runnable,Waiting,Syscall,Dead,Preempted}  Syscall->{Running,Runnable}
//           Waiting->Runnable  Preempted->Waiting
//
//   P state      who owns the P
//   kPIdle       the idle list, or whoever is moving it on or off
//   kPRunning    the M in p.m
//   kPSyscall    no owner: the M that left the P, retake, and StopTheWorld try to take it by CAS
//   kPGcStop     the goroutine that stopped the world
//   kPDead       nobody: id >= gomaxprocs; revived by ProcResize
//
//   Legal:  GcStop->{Idle,Running,Dead}  Idle->{Running,GcStop}  Running->{Idle,Syscall,GcStop}
//           Syscall->{Idle,GcStop}  Dead->GcStop
//
// Layer     4. Any M, any stack.                      Go: runtime2.go, casgstatus in proc.go
#ifndef GORT_GMP_STATUS_H_
#define GORT_GMP_STATUS_H_

#include <cstdint>

#include "gort/base/hook.h"

namespace gort::rt {

struct G;
struct P;

enum GStatus : uint32_t {
  kGIdle = 0,
  kGRunnable = 1,
  kGRunning = 2,
  kGSyscall = 3,
  kGWaiting = 4,
  kGDead = 6,
  kGCopystack = 8,
  kGPreempted = 9,
  kGScan = 0x1000,
  kGFresh = 0x2000,
};

enum PStatus : uint32_t { kPIdle = 0, kPRunning = 1, kPSyscall = 2, kPGcStop = 3, kPDead = 4 };

// "idle", "runnable", …; the scan bit is ignored.
const char* GStatusName(uint32_t status);

// What changes and reads a G's state is in gmp/transitions.h, which gmp/g.h includes.

// Freezes gp in state `from`; false when it is not in it. Fatal: kGRunning, kGDead.
// Go: castogscanstatus.
bool CasToGScanStatus(G* gp, uint32_t from);
// Ends the freeze. Go: casfrom_Gscanstatus.
void CasFromGScanStatus(G* gp, uint32_t from_scan);

// Called now and then while CasGStatus waits for a scanner, which may itself wait for what a goroutine
// without a P holds. The default does nothing. Set by proc/stay.cc.
extern Hook<void()> scan_wait_hook;

// True when the table above allows it.
constexpr bool GTransitionLegal(uint32_t from, uint32_t to) {
  constexpr auto bit = [](uint32_t s) { return uint32_t{1} << s; };
  constexpr uint32_t kLegal[10] = {
      bit(kGDead),     // from idle
      bit(kGRunning),  // runnable
      bit(kGRunnable) | bit(kGSyscall) | bit(kGWaiting) | bit(kGDead) |
          bit(kGPreempted),              // running
      bit(kGRunning) | bit(kGRunnable),  // syscall
      bit(kGRunnable),                   // waiting
      0,
      bit(kGRunnable) | bit(kGRunning),  // dead; straight to running: a foreign thread's G
      0,
      0,               // copystack
      bit(kGWaiting),  // preempted
  };
  return from < 10 && to < 10 && (kLegal[from] & bit(to)) != 0;
}
bool PTransitionLegal(uint32_t from, uint32_t to);

// Moves pp from one state to another; false when it is in another state. An illegal transition is
// fatal in debug builds.
bool CasPStatus(P* pp, uint32_t from, uint32_t to);
// The same for an owner, who knows the state.
void SetPStatus(P* pp, uint32_t to);

}  // namespace gort::rt

#endif  // GORT_GMP_STATUS_H_
