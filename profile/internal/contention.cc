// Where goroutines wait, and for whom.
#include <atomic>

#include "absl/base/thread_annotations.h"
#include "gort/base/rand.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/profile_hook.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/wait_reason.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/clock.h"
#include "gort/profile/internal/encode.h"
#include "gort/profile/internal/stack_table.h"
#include "gort/profile/internal/stacks.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {
namespace {

struct Waits {
  Mutex mu;  // not ranked: nothing is locked under it
  StackTable table;

  // Adds to the caller's stack.
  void Add(double count, double ns);
};
constinit Waits block;
constinit Waits mutex;

constinit std::atomic<int64_t> block_rate{0};  // ns; 0: off
constinit std::atomic<int> mutex_fraction{0};  // one of so many; 0: off
constinit std::atomic<uint64_t> draws{0};

// True once in n calls, by chance.
bool OneIn(int64_t n) {
  if (n <= 1) return true;
  FastRand rand(draws.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed));
  return rand.Next64() % static_cast<uint64_t>(n) == 0;
}

void Waits::Add(double count, double ns) {
  uintptr_t pcs[kMaxStack];
  const int n = Callers(1, pcs, kMaxStack);
  const G* gp = Getg();
  LabelSet* labels = gp != nullptr ? gp->labels.load(std::memory_order_relaxed) : nullptr;
  LockGuard l(&mu);
  if (StackSums* sums = table.Find(pcs, n, labels)) {
    sums->Add(0, count);
    sums->Add(1, ns);
  }
}

// True for a wait for another goroutine, and not for a time or for the world outside. Go: the same
bool IsBlocked(WaitReason reason) {
  switch (reason) {
    case WaitReason::kSelect:
    case WaitReason::kChanReceive:
    case WaitReason::kChanSend:
    case WaitReason::kSemAcquire:
    case WaitReason::kSyncCondWait:
    case WaitReason::kSyncMutexLock:
    case WaitReason::kSyncRWMutexLock:
    case WaitReason::kSyncRWMutexRLock:
    case WaitReason::kSyncWaitGroupWait:
    case WaitReason::kSyncOnce:
    case WaitReason::kSyncSemaphore:
    case WaitReason::kFutureWait:
      return true;
    default:
      return false;
  }
}

void OnBlock(WaitReason reason, int64_t ns) {
  const int64_t rate = block_rate.load(std::memory_order_relaxed);
  const G* gp = Getg();
  if (rate == 0 || ns <= 0 || gp == nullptr || gp->system || !IsBlocked(reason)) return;
  if (ns >= rate) {
    block.Add(1, static_cast<double>(ns));
  } else if (OneIn(rate / ns)) {
    // This wait stands for the waits of its length that are not noted.
    const auto each = static_cast<double>(rate / ns);
    block.Add(each, each * static_cast<double>(ns));
  }
}

void OnContention(int64_t ns) {
  const int n = mutex_fraction.load(std::memory_order_relaxed);
  if (n <= 0 || !OneIn(n)) return;
  mutex.Add(n, static_cast<double>(n) * static_cast<double>(ns));
}

void SetBit(uint8_t bit, bool on) {
  if (on) {
    sched.profiling.fetch_or(bit);
  } else {
    sched.profiling.fetch_and(static_cast<uint8_t>(~bit));
  }
}

std::string Encoded(const Waits& waits) {
  ProfileForm form{{{"contentions", "count"}, {"delay", "nanoseconds"}}, {"contentions", "count"}};
  form.period = 1;
  form.begin_ns = Walltime();
  form.only_callers = true;
  return EncodeProfile(waits.table, form);
}

}  // namespace

std::string BlockProfile() { return Encoded(block); }
std::string MutexProfile() { return Encoded(mutex); }

void BlockRate(int64_t ns) {
  block_rate.store(ns > 0 ? ns : 0, std::memory_order_relaxed);
  block_hook.Set(&OnBlock);
  SetBit(kProfileBlock, ns > 0);
}

int MutexFraction(int n) {
  if (n < 0) return mutex_fraction.load(std::memory_order_relaxed);
  const int before = mutex_fraction.exchange(n, std::memory_order_relaxed);
  contention_hook.Set(&OnContention);
  SetBit(kProfileMutex, n > 0);
  return before;
}

}  // namespace gort::rt
