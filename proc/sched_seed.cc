#include "gort/proc/sched_seed.h"

#include "gort/base/rand.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"

namespace gort::rt {

constinit SchedSeedState sched_seed_state;

void SetSchedSeed(uint64_t seed) {
  sched_seed_state.next.store(FastRand(seed).Next64());
  sched_seed_state.seed.store(seed);
  // Turns are counted (kTurnPeriod), and the guard may show a request from before: every
  // run of a seed begins with the same count and the same guard.
  G* gp = Getg();
  P* pp = gp != nullptr && gp->m != nullptr ? gp->m->p.load(std::memory_order_relaxed) : nullptr;
  if (pp == nullptr) return;  // start-up: they are 0
  pp->globtick = 0;
  pp->ring_turn = false;
  gp->stackguard0.store(seed != 0 ? kStackPreempt : gp->stack.lo, std::memory_order_relaxed);
}

uint64_t SchedRand() {
  // Each call takes a state of its own, so that several threads may draw at once.
  return FastRand(sched_seed_state.next.fetch_add(0x9e3779b97f4a7c15ULL)).Next64();
}

}  // namespace gort::rt
