#include "gort/lock/held_locks.h"

#include "gort/base/throw.h"

namespace gort::rt {
namespace {

struct Held {
  const void* lock = nullptr;
  LockRank rank = LockRank::kNone;
};

struct HeldLocks {
  int n = 0;
  int more = 0;  // channels held but not recorded: a select locks as many as it has cases
  Held held[kMaxHeldLocks] = {};
};

// Read in the functions below alone, none of which is inlined: see STYLE on thread-local addresses
// that live across a switch of threads.
constinit thread_local HeldLocks t_held;

const char* Name(LockRank rank) { return kLockRankName[static_cast<int>(rank)]; }

[[noreturn]] GORT_COLD void WrongOrder(const Held& held, const Held& taken) {
  {
    Printer p;
    p << "gort: lock order: taking " << Name(taken.rank) << " at " << taken.lock
      << " while holding " << Name(held.rank) << " at " << held.lock << '\n';
  }
  Throw("lock ordering problem");
}

// A lock of rank `taken` may be waited for while `held` is held.
bool Allowed(const Held& held, const Held& taken) {
  if (taken.rank == LockRank::kNone) return true;
  if ((kMayBeHeld[static_cast<int>(taken.rank)] >> static_cast<int>(held.rank) & 1) == 0) {
    return false;
  }
  return held.rank != taken.rank || held.lock < taken.lock;
}

void Push(HeldLocks* h, const Held& taken) {
  // Half of the record is kept for what is taken while a select holds its channels.
  if (taken.rank == LockRank::kHchan && h->n >= kMaxHeldLocks / 2) {
    ++h->more;
    return;
  }
  if (h->n == kMaxHeldLocks) Throw("too many locks held");
  h->held[h->n++] = taken;
}

}  // namespace

GORT_NOINLINE void HeldLocksAcquireSlow(const void* lock, LockRank rank) {
  HeldLocks& h = t_held;
  const Held taken{lock, rank};
  for (int i = 0; i < h.n; ++i) {
    if (h.held[i].lock == lock) Throw("lock taken twice by one thread");
    if (!Allowed(h.held[i], taken)) WrongOrder(h.held[i], taken);
  }
  Push(&h, taken);
}

GORT_NOINLINE void HeldLocksTryAcquiredSlow(const void* lock, LockRank rank) {
  Push(&t_held, Held{lock, rank});
}

GORT_NOINLINE void HeldLocksReleaseSlow(const void* lock) {
  HeldLocks& h = t_held;
  for (int i = h.n - 1; i >= 0; --i) {
    if (h.held[i].lock != lock) continue;
    h.held[i] = h.held[--h.n];
    h.held[h.n] = {};  // a lock that nobody holds is not to be reached through this (leak::Find)
    return;
  }
  if (h.more > 0) {
    --h.more;
    return;
  }
  Throw("unlock of a lock that this thread does not hold");
}

GORT_NOINLINE bool HeldLocksHoldsSlow(const void* lock) {
  const HeldLocks& h = t_held;
  for (int i = 0; i < h.n; ++i) {
    if (h.held[i].lock == lock) return true;
  }
  return h.more > 0;
}

GORT_NOINLINE int HeldLocksCountSlow() { return t_held.n + t_held.more; }

void HeldLocksAssertHolds(const void* lock) {
  if constexpr (kDebug) {
    if (!HeldLocksHoldsSlow(lock)) Throw("lock is not held");
  }
}

}  // namespace gort::rt
