#include "gort/trace/internal/stall.h"

#include <atomic>

#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/proc/runq.h"

namespace gort::rt {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Counts how often in a row `stands` was true; whether that is often enough.
bool Counted(bool stands, int* looks) {
  *looks = stands ? *looks + 1 : 0;
  return *looks >= StallWatch::kLooks;
}

}  // namespace

bool StallWatch::RingStands(const P* pp, Ring* last) {
  const uint32_t turns = pp->schedtick.load(kRelaxed);
  const uint32_t head = pp->runq.head.load(kRelaxed);
  const bool same = turns == last->turns && head == last->head && RunqLen(pp) > 0;
  last->turns = turns;
  last->head = head;
  return Counted(same, &last->stood);
}

const char* StallWatch::Look() {
  bool ring = false;
  uint64_t turns = 0;
  const int n = gomaxprocs.load(kRelaxed);
  for (int i = 0; i < n; ++i) {
    const P* pp = allp[i].load(std::memory_order_acquire);  // pairs with: ProcResize
    if (pp == nullptr) break;
    ring |= RingStands(pp, &rings_[i]);
    turns += pp->schedtick.load(kRelaxed);
  }
  const bool queued = sched.runqsize.load(kRelaxed) > 0;
  const bool global = Counted(queued && turns == turns_, &global_stood_);
  turns_ = turns;
  const uint64_t stops = sched.stops.load(kRelaxed);
  const bool wanted = sched.gcwaiting.load(kRelaxed);
  const bool stop = Counted(wanted && stops == stops_, &stop_stood_);
  stops_ = stops;
  if (stop) return "the world is to stop, and does not";
  if (ring) return "goroutines wait for a P that begins no turn";
  return global ? "goroutines wait, and no P begins a turn" : nullptr;
}

}  // namespace gort::rt
