#include "gort/gmp/status.h"

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/platforms/cpu.h"
#include "gort/platforms/thread.h"

namespace gort::rt {
namespace {

constexpr uint32_t Bit(uint32_t s) { return uint32_t{1} << s; }

constexpr uint32_t kGLegal[10] = {
    Bit(kGDead),     // from idle
    Bit(kGRunning),  // runnable
    Bit(kGRunnable) | Bit(kGSyscall) | Bit(kGWaiting) | Bit(kGDead) | Bit(kGPreempted),  // running
    Bit(kGRunning) | Bit(kGRunnable),                                                    // syscall
    Bit(kGRunnable),                                                                     // waiting
    0,
    Bit(kGRunnable) | Bit(kGRunning),  // dead; straight to running: a foreign thread's G
    0,
    0,               // copystack
    Bit(kGWaiting),  // preempted
};

constexpr uint32_t kPLegal[5] = {
    Bit(kPRunning) | Bit(kPGcStop),                // from idle
    Bit(kPIdle) | Bit(kPSyscall) | Bit(kPGcStop),  // running
    Bit(kPIdle) | Bit(kPGcStop),                   // syscall
    Bit(kPIdle) | Bit(kPRunning) | Bit(kPDead),    // gcstop
    Bit(kPGcStop),                                 // dead
};

constexpr const char* kGName[10] = {"idle",     "runnable", "running", "syscall",   "waiting",
                                    "moribund", "dead",     "enqueue", "copystack", "preempted"};

[[noreturn]] GORT_COLD void BadTransition(const G* gp, uint32_t from, uint32_t to, uint32_t seen) {
  {
    Printer p;
    p << "gort: goroutine " << gp->goid << ": status " << GStatusName(from) << " -> "
      << GStatusName(to) << ", found " << GStatusName(seen) << " (";
    p.Hex(seen) << ")\n";
  }
  Throw("casgstatus: bad goroutine status");
}

constexpr uint32_t kNeverFrozen = Bit(kGRunning) | Bit(kGDead);

constexpr int kYieldsBeforeHelp = 100;

GORT_COLD void WaitForScan(G* gp, uint32_t from, uint32_t to) {
  for (int i = 0;; ++i) {
    uint32_t seen = gp->atomicstatus.load(std::memory_order_relaxed);
    if (seen == from) return;
    if (seen != (from | kGScan)) BadTransition(gp, from, to, seen);
    if (i < 10) {
      ProcYield(10);
    } else {
      ThreadYield();
      if (i % kYieldsBeforeHelp == 0) scan_wait_hook();
    }
  }
}

// From a state that nobody freezes.
void LeaveByStore(G* gp, uint32_t from, uint32_t to) {
  const uint32_t seen = gp->atomicstatus.load(std::memory_order_relaxed);  // the caller's own
  if (GORT_UNLIKELY(seen != from)) BadTransition(gp, from, to, seen);
  // Releases what this owner leaves.
  gp->atomicstatus.store(to, std::memory_order_release);
}

}  // namespace

constinit Hook<void()> scan_wait_hook{[] {}};

const char* GStatusName(uint32_t status) {
  status &= ~uint32_t{kGScan | kGFresh};
  return status < 10 ? kGName[status] : "???";
}

uint32_t ReadGStatus(const G* gp) {
  return gp->atomicstatus.load(std::memory_order_acquire) &
         ~uint32_t{kGFresh};  // pairs with: CasGStatus
}

bool IsGFresh(const G* gp) {
  return (gp->atomicstatus.load(std::memory_order_relaxed) & kGFresh) != 0;
}

void MakeGFresh(G* gp) { LeaveByStore(gp, kGDead, kGRunnable | kGFresh); }

void LeaveGFresh(G* gp) { LeaveByStore(gp, kGRunnable | kGFresh, kGRunning); }

bool GTransitionLegal(uint32_t from, uint32_t to) {
  return from < 10 && to < 10 && (kGLegal[from] & Bit(to)) != 0;
}

bool PTransitionLegal(uint32_t from, uint32_t to) {
  return from < 5 && to < 5 && (kPLegal[from] & Bit(to)) != 0;
}

void CasGStatus(G* gp, uint32_t from, uint32_t to) {
  if (GORT_UNLIKELY(!GTransitionLegal(from, to))) BadTransition(gp, from, to, ReadGStatus(gp));
  if ((Bit(from) & kNeverFrozen) != 0) {
    LeaveByStore(gp, from, to);
    return;
  }
  while (true) {
    uint32_t seen = from;
    // Acquire what the last owner left, release what this one leaves.
    if (GORT_LIKELY(gp->atomicstatus.compare_exchange_strong(seen, to, std::memory_order_acq_rel,
                                                             std::memory_order_relaxed))) {
      return;
    }
    WaitForScan(gp, from, to);
  }
}

bool CasToGScanStatus(G* gp, uint32_t from) {
  if ((Bit(from) & kNeverFrozen) != 0) Throw("castogscanstatus: not a state to freeze");
  return gp->atomicstatus.compare_exchange_strong(from, from | kGScan, std::memory_order_acq_rel,
                                                  std::memory_order_relaxed);
}

void CasFromGScanStatus(G* gp, uint32_t from_scan) {
  uint32_t seen = from_scan;
  if ((from_scan & kGScan) == 0 || !gp->atomicstatus.compare_exchange_strong(
                                       seen, from_scan & ~uint32_t{kGScan},
                                       std::memory_order_release, std::memory_order_relaxed)) {
    BadTransition(gp, from_scan, from_scan & ~uint32_t{kGScan}, seen);
  }
}

bool CasPStatus(P* pp, uint32_t from, uint32_t to) {
  GORT_DCHECK(PTransitionLegal(from, to));
  // seq_cst: entersyscall's store and retake's CAS order with sched.gcwaiting and sysmonwait.
  return pp->status.compare_exchange_strong(from, to);
}

void SetPStatus(P* pp, uint32_t to) {
  GORT_DCHECK(PTransitionLegal(pp->status.load(std::memory_order_relaxed), to));
  pp->status.store(to);
}

}  // namespace gort::rt
