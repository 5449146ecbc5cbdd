#include "gort/sync/internal/spin.h"

#include <atomic>

#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/cpu.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

constexpr int kRounds = 4;
constexpr int kPauses = 30;

// All loads here are relaxed and without a partner: a wrong guess costs time, nothing else.
bool NobodyWaits(const P* pp) {
  if (pp == nullptr) return true;  // a foreign thread has no queue
  const RunQueue& q = pp->runq;
  return q.runnext.load(std::memory_order_relaxed) == nullptr &&
         q.head.load(std::memory_order_relaxed) == q.tail.load(std::memory_order_relaxed);
}

}  // namespace

bool CanSpin(int i) {
  if (i >= kRounds || ncpu <= 1) return false;
  int32_t busy = gomaxprocs.load(std::memory_order_relaxed) -
                 sched.npidle.load(std::memory_order_relaxed) -
                 sched.nmspinning.load(std::memory_order_relaxed);
  if (busy <= 1) return false;
  M* mp = AcquireM();
  bool free = NobodyWaits(mp->p.load(std::memory_order_relaxed));
  ReleaseM(mp);
  return free;
}

void DoSpin() { ProcYield(kPauses); }

}  // namespace gort::rt
