// gmp/transitions.h: how a G moves from one state to another.
// What      the states and who owns them are in gmp/status.h. Inline, because every switch makes two
//           of these moves. With constants for the states nothing but the move is left.
// Layer     4. Any M, any stack. Included by gmp/g.h.
#ifndef GORT_GMP_TRANSITIONS_H_
#define GORT_GMP_TRANSITIONS_H_

#include <atomic>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/gmp/g.h"
#include "gort/gmp/status.h"

namespace gort::rt {
namespace internal {

[[noreturn]] GORT_COLD void BadTransition(const G* gp, uint32_t from, uint32_t to, uint32_t seen);
// Returns when no scanner holds gp in `from`. Fatal: another state.
GORT_COLD void WaitForScan(G* gp, uint32_t from, uint32_t to);

constexpr bool NeverFrozen(uint32_t s) {
  return s == kGRunning || s == kGDead || s == (kGRunnable | kGFresh);
}

// From a state that nobody freezes. Releases what this owner leaves.
GORT_ALWAYS_INLINE void LeaveByStore(G* gp, uint32_t from, uint32_t to) {
  const uint32_t seen = gp->atomicstatus.load(std::memory_order_relaxed);  // the caller's own
  if (GORT_UNLIKELY(seen != from)) BadTransition(gp, from, to, seen);
  gp->atomicstatus.store(to, std::memory_order_release);
}

}  // namespace internal

// The current state, scan bit included, kGFresh not. Go: readgstatus.
inline uint32_t ReadGStatus(const G* gp) {
  // pairs with: CasGStatus
  return gp->atomicstatus.load(std::memory_order_acquire) & ~uint32_t{kGFresh};
}

namespace internal {

GORT_ALWAYS_INLINE void MoveG(G* gp, uint32_t from, uint32_t to) {
  if (GORT_UNLIKELY(!GTransitionLegal(from, to))) BadTransition(gp, from, to, ReadGStatus(gp));
  if (NeverFrozen(from)) return LeaveByStore(gp, from, to);
  uint32_t seen = from;
  // Acquire what the last owner left, release what this one leaves.
  while (GORT_UNLIKELY(!gp->atomicstatus.compare_exchange_strong(
      seen, to, std::memory_order_acq_rel, std::memory_order_relaxed))) {
    WaitForScan(gp, from, to);
    seen = from;
  }
}

// The same out of line: in builds with assertions, where tests see each move (proc/testing/world.h).
void MoveGSeen(G* gp, uint32_t from, uint32_t to);

#ifdef NDEBUG
inline constexpr bool kMovesAreSeen = false;
#else
inline constexpr bool kMovesAreSeen = true;
#endif

}  // namespace internal

// Moves gp from one state to another; waits while a scanner holds it; fatal when gp is in neither
// `from` nor `from | kGScan`, or when the transition is not in the table of gmp/status.h.
// Go: casgstatus; differs: a store from kGRunning and kGDead
GORT_ALWAYS_INLINE void CasGStatus(G* gp, uint32_t from, uint32_t to) {
  if constexpr (internal::kMovesAreSeen) {
    internal::MoveGSeen(gp, from, to);
  } else {
    internal::MoveG(gp, from, to);
  }
}

// kGDead to kGRunnable | kGFresh; and from there to kGRunning. Fatal: another state.
GORT_ALWAYS_INLINE void MakeGFresh(G* gp) {
  internal::LeaveByStore(gp, kGDead, kGRunnable | kGFresh);
}
GORT_ALWAYS_INLINE void LeaveGFresh(G* gp) {
  internal::LeaveByStore(gp, kGRunnable | kGFresh, kGRunning);
}
// True of a runnable G that has no stack yet.
GORT_ALWAYS_INLINE bool IsGFresh(const G* gp) {
  return (gp->atomicstatus.load(std::memory_order_relaxed) & kGFresh) != 0;
}

}  // namespace gort::rt

#endif  // GORT_GMP_TRANSITIONS_H_
