#include "gort/gmp/status.h"

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/platforms/cpu.h"
#include "gort/platforms/thread.h"

namespace gort::rt {
namespace {

constexpr uint32_t Bit(uint32_t s) { return uint32_t{1} << s; }

constexpr uint32_t kPLegal[5] = {
    Bit(kPRunning) | Bit(kPGcStop),                // from idle
    Bit(kPIdle) | Bit(kPSyscall) | Bit(kPGcStop),  // running
    Bit(kPIdle) | Bit(kPGcStop),                   // syscall
    Bit(kPIdle) | Bit(kPRunning) | Bit(kPDead),    // gcstop
    Bit(kPGcStop),                                 // dead
};

constexpr const char* kGName[10] = {"idle",     "runnable", "running", "syscall",   "waiting",
                                    "moribund", "dead",     "enqueue", "copystack", "preempted"};

constexpr int kYieldsBeforeHelp = 100;

}  // namespace

constinit Hook<void()> scan_wait_hook{[] {}};

namespace internal {

void BadTransition(const G* gp, uint32_t from, uint32_t to, uint32_t seen) {
  {
    Printer p;
    p << "gort: goroutine " << gp->goid << ": status " << GStatusName(from) << " -> "
      << GStatusName(to) << ", found " << GStatusName(seen) << " (";
    p.Hex(seen) << ")\n";
  }
  Throw("casgstatus: bad goroutine status");
}

void WaitForScan(G* gp, uint32_t from, uint32_t to) {
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

void MoveGSeen(G* gp, uint32_t from, uint32_t to) { MoveG(gp, from, to); }

}  // namespace internal

const char* GStatusName(uint32_t status) {
  status &= ~uint32_t{kGScan | kGFresh};
  return status < 10 ? kGName[status] : "???";
}

bool PTransitionLegal(uint32_t from, uint32_t to) {
  return from < 5 && to < 5 && (kPLegal[from] & Bit(to)) != 0;
}

bool CasToGScanStatus(G* gp, uint32_t from) {
  if (internal::NeverFrozen(from)) Throw("castogscanstatus: not a state to freeze");
  return gp->atomicstatus.compare_exchange_strong(from, from | kGScan, std::memory_order_acq_rel,
                                                  std::memory_order_relaxed);
}

void CasFromGScanStatus(G* gp, uint32_t from_scan) {
  uint32_t seen = from_scan;
  if ((from_scan & kGScan) == 0 || !gp->atomicstatus.compare_exchange_strong(
                                       seen, from_scan & ~uint32_t{kGScan},
                                       std::memory_order_release, std::memory_order_relaxed)) {
    internal::BadTransition(gp, from_scan, from_scan & ~uint32_t{kGScan}, seen);
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
