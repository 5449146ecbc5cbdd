#include "lock/held_locks.h"

#include "base/throw.h"

namespace gort::rt {
namespace {

constexpr int kMaxHeld = 16;

struct Held {
  const void* lock = nullptr;
  LockRank rank = LockRank::kNone;
};

struct HeldLocks {
  int n = 0;
  Held held[kMaxHeld] = {};
};

constinit thread_local HeldLocks t_held;

[[noreturn]] GORT_COLD void WrongOrder(LockRank taken, LockRank held) {
  Printer() << "gort: lock order: taking " << kLockRankName[static_cast<int>(taken)]
            << " while holding " << kLockRankName[static_cast<int>(held)] << '\n';
  Throw("lock ordering problem");
}

}  // namespace

GORT_NOINLINE void HeldLocksAcquireSlow(const void* lock, LockRank rank) {
  HeldLocks& h = t_held;
  for (int i = 0; i < h.n; ++i) {
    if (h.held[i].lock == lock) Throw("lock taken twice by one thread");
    const uint64_t allowed = kMayBeHeld[static_cast<int>(rank)];
    bool ok = (allowed >> static_cast<int>(h.held[i].rank) & 1) != 0;
    bool same_rank_upwards =
        h.held[i].rank != rank || rank == LockRank::kNone || h.held[i].lock < lock;
    if (rank != LockRank::kNone && (!ok || !same_rank_upwards)) WrongOrder(rank, h.held[i].rank);
  }
  if (h.n == kMaxHeld) Throw("too many locks held");
  h.held[h.n++] = Held{lock, rank};
}

GORT_NOINLINE void HeldLocksReleaseSlow(const void* lock) {
  HeldLocks& h = t_held;
  for (int i = h.n - 1; i >= 0; --i) {
    if (h.held[i].lock != lock) continue;
    h.held[i] = h.held[--h.n];
    return;
  }
  Throw("unlock of a lock that this thread does not hold");
}

GORT_NOINLINE int HeldLocksCountSlow() { return t_held.n; }

}  // namespace gort::rt
