#include "gort/malloc/internal/scavenge.h"

#include <atomic>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/mheap.h"

namespace gort::rt {
namespace {

// One thread releases at a time: more would only queue up in the kernel.
constinit Mutex scavenge_lock{LockRank::kScavenge};
constinit std::atomic<bool> background{false};
constinit std::atomic<uint64_t> total{0};  // a statistic

int64_t Release(int64_t max_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(scavenge_lock) {
  int64_t sum = 0;
  while (sum < max_bytes) {
    // Pages cannot be allocated while they are being released, so a step takes few of them.
    size_t step = static_cast<size_t>(max_bytes - sum);
    if (step > kScavengeStep) step = kScavengeStep;
    size_t n = mheap.ReleaseSome(step);
    if (n == 0) break;
    sum += static_cast<int64_t>(n);
  }
  total.fetch_add(static_cast<uint64_t>(sum), std::memory_order_relaxed);
  return sum;
}

}  // namespace

int64_t ScavengeDebt() {
  const size_t idle = mheap.idle_bytes();
  const size_t keep = mheap.inuse_bytes() / 8 + (size_t{4} << 20);
  return idle > keep ? static_cast<int64_t>(idle - keep) : 0;
}

int64_t ScavengeOne(int64_t max_bytes) {
  if (max_bytes <= 0) return 0;
  LockGuard guard(&scavenge_lock);
  return Release(max_bytes);
}

int64_t ScavengeAll() { return ScavengeOne(INT64_MAX); }

void SetBackgroundScavenger(bool on) { background.store(on, std::memory_order_relaxed); }

void MaybeScavenge() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const int64_t debt = ScavengeDebt();
  if (GORT_LIKELY(debt <= int64_t{kScavengeSlack})) return;
  if (background.load(std::memory_order_relaxed)) return;  // a hint: a step too many does no harm
  if (!scavenge_lock.TryLock()) return;                    // another thread releases
  Release(int64_t{kScavengeStep});
  scavenge_lock.Unlock();
}

void ScavTrace(int64_t pages, int64_t stacks) {
  static constinit uint64_t traced = 0;  // of the total, by earlier lines
  const uint64_t sum = ScavengedTotal();
  if (sum == traced && stacks == 0) return;
  const size_t in_use = mheap.inuse_bytes();
  const size_t has_memory = in_use + mheap.idle_bytes();
  const uint64_t eager = sum - traced - static_cast<uint64_t>(pages);
  Printer() << "scav " << (pages >> 10) << " KiB work (bg), " << (eager >> 10)
            << " KiB work (eager), " << (stacks >> 10) << " KiB stacks, " << (sum >> 10)
            << " KiB total, " << (has_memory != 0 ? in_use * 100 / has_memory : 100) << "% util\n";
  traced = sum;
}

uint64_t ScavengedTotal() { return total.load(std::memory_order_relaxed); }

void ScavengeForkLock() ABSL_NO_THREAD_SAFETY_ANALYSIS { scavenge_lock.LockForFork(); }
void ScavengeForkUnlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { scavenge_lock.UnlockAfterFork(); }

}  // namespace gort::rt
