#include "gort/lock/brief_mutex.h"

#include "gort/base/throw.h"
#include "gort/platforms/cpu.h"
#include "gort/platforms/futex.h"
#include "gort/platforms/thread.h"

namespace gort::rt {
namespace {

// As lock/mutex.cc.
constexpr int kActiveSpins = 4;
constexpr int kActiveSpinCycles = 30;
// How long a thread sleeps at a time that cannot be sure of its wake-up.
constexpr int64_t kUnsureNs = 1'000'000;

}  // namespace

constinit std::atomic<uint32_t> BriefMutex::counts_[kCounts] = {};

// Looks a while for a moment in which the lock is free. True: taken.
bool BriefMutex::Spin() {
  for (int i = 0; i <= kActiveSpins; ++i) {
    // The load keeps the cache line shared while somebody else holds the lock.
    if (!IsLocked() && Take()) return true;
    if (i < kActiveSpins) {
      ProcYield(kActiveSpinCycles);
    } else {
      ThreadYield();
    }
  }
  return false;
}

GORT_NOINLINE void BriefMutex::LockSlow() {
  if (!Spin()) Sleep();
}

// Returns with the lock.
void BriefMutex::Sleep() {
  std::atomic<uint32_t>* sleepers = Sleepers();
  sleepers->fetch_add(1);  // pairs with: Unlock
  const int64_t ns = ThreadsBarrier() ? -1 : kUnsureNs;
  while (!Take()) {
    FutexSleep(&state_, kLocked, ns);
    if (Spin()) break;
  }
  sleepers->fetch_sub(1, std::memory_order_relaxed);  // late is as good
}

GORT_NOINLINE void BriefMutex::Wake(std::atomic<uint32_t>* state) { FutexWake(state, 1); }

GORT_COLD void BriefMutex::UnlockOfUnlocked() { Throw("unlock of unlocked lock"); }

}  // namespace gort::rt
