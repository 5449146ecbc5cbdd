#include "gort/malloc/internal/scavenge.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/mcentral.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/malloc/internal/persistentalloc.h"

namespace gort::rt {
namespace {

// One thread releases at a time: more would only queue up in the kernel.
constinit Mutex scavenge_lock{LockRank::kScavenge};
constinit std::atomic<bool> background{false};
constinit std::atomic<uint64_t> total{0};              // a statistic
constinit std::atomic<int64_t> limit{kNoMemoryLimit};  // relaxed: orders nothing

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

namespace {

// What the OS has given beyond `goal`, as far as it is free.
int64_t DebtBeyond(int64_t goal) {
  const int64_t idle = static_cast<int64_t>(mheap.idle_bytes());
  const int64_t had = idle + static_cast<int64_t>(mheap.inuse_bytes() + PersistentAllocated());
  return std::clamp<int64_t>(had - goal, 0, idle);
}

}  // namespace

int64_t ScavengeDebt() {
  const size_t idle = mheap.idle_bytes();
  const size_t keep = mheap.inuse_bytes() / 8 + (size_t{4} << 20);
  const int64_t usual = idle > keep ? static_cast<int64_t>(idle - keep) : 0;
  const int64_t most = MemoryLimit();
  return most == kNoMemoryLimit ? usual : std::max(usual, DebtBeyond(most - most / 20));
}

int64_t MemoryLimit() { return limit.load(std::memory_order_relaxed); }

int64_t SetMemoryLimit(int64_t bytes) {
  const int64_t before = limit.exchange(bytes, std::memory_order_relaxed);
  KeepToMemoryLimit();
  return before;
}

bool ParseMemoryLimit(const char* text, int64_t* bytes) {
  if (strcmp(text, "off") == 0) {
    *bytes = kNoMemoryLimit;
    return true;
  }
  int64_t n = 0;
  const char* at = text;
  for (; *at >= '0' && *at <= '9'; ++at) {
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *at - '0', &n)) return false;
  }
  if (at == text) return false;
  constexpr const char* kUnits = "KMGT";
  int64_t factor = 1;
  if (const char* unit = *at != '\0' ? strchr(kUnits, *at) : nullptr; unit != nullptr) {
    if (at[1] != 'i' || at[2] != 'B') return false;
    factor <<= 10 * (unit - kUnits + 1);
    at += 2;
  }
  if (*at == 'B') ++at;
  return *at == '\0' && !__builtin_mul_overflow(n, factor, bytes);
}

GORT_NOINLINE void KeepToMemoryLimit() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const int64_t most = MemoryLimit();
  if (GORT_LIKELY(most == kNoMemoryLimit)) return;
  const auto beyond = [most] {
    return static_cast<int64_t>(mheap.idle_bytes() + mheap.inuse_bytes() + PersistentAllocated()) >
           most;
  };
  if (GORT_LIKELY(!beyond())) return;
  // What lies in batches may be free for all that is known.
  if (DebtBeyond(most) == 0 && !DrainBatches()) return;
  if (!scavenge_lock.TryLock()) return;  // another thread does it
  Release(DebtBeyond(most - most / 20));
  scavenge_lock.Unlock();
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
