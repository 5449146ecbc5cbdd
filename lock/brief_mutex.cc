#include "gort/lock/brief_mutex.h"

#include <climits>

#include "gort/base/throw.h"
#include "gort/platforms/cpu.h"
#include "gort/platforms/futex.h"
#include "gort/platforms/thread.h"

namespace gort::rt {
namespace {

// Looks at the lock so many times, so many pauses apart, and then gives the CPU away so many times.
constexpr int kSpins = 20;
constexpr int kPauses = 30;
constexpr int kYields = 2;
// How long a thread sleeps at a time that cannot be sure of its wake-up.
constexpr int64_t kUnsureNs = 1'000'000;

}  // namespace

constinit std::atomic<uint32_t> BriefMutex::words_[kWords] = {};

// Looks a while for a moment in which the lock is free. True: taken.
bool BriefMutex::Spin() {
  for (int i = 0; i < kSpins + kYields; ++i) {
    // The load keeps the cache line shared while somebody else holds the lock.
    if (!IsLocked() && Take()) return true;
    if (i < kSpins) {
      ProcYield(kPauses);
    } else {
      ThreadYield();
    }
  }
  return false;
}

GORT_NOINLINE void BriefMutex::LockSlow() {
  while (!Spin()) {
    if (Sleep()) return;
  }
}

// True: took the lock instead.
bool BriefMutex::Sleep() {
  std::atomic<uint32_t>* word = Word();
  const uint32_t marked = word->fetch_or(kMark) | kMark;  // pairs with: Unlock
  const int64_t ns = ThreadsBarrier() ? -1 : kUnsureNs;
  if (Take()) return true;  // the mark stays: it costs somebody a Wake
  FutexSleep(word, marked, ns);
  return false;
}

GORT_NOINLINE void BriefMutex::Wake(std::atomic<uint32_t>* word) {
  uint32_t w = word->load(std::memory_order_relaxed);
  // Whoever takes the mark away wakes all that have seen it.
  if ((w & kMark) != 0 && word->compare_exchange_strong(w, w + kMark)) FutexWake(word, INT_MAX);
}

GORT_COLD void BriefMutex::UnlockOfUnlocked() { Throw("unlock of unlocked lock"); }

}  // namespace gort::rt
