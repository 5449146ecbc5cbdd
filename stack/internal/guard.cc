#include "gort/stack/internal/guard.h"

#include <atomic>

#include "gort/base/attributes.h"
#include "gort/platforms/mem.h"
#include "gort/stack/internal/stack_layout.h"

namespace gort::rt {

constinit std::atomic<int64_t> guard_counts[4] = {};

namespace {

// A gap up to this size is made of markers, which leave the mapping whole but cost 30 ns a page. Only
// chunks of stacks of megabytes have larger ones, such as the main goroutine's: 0.1 ms of start-up.
constexpr size_t kMaxGapByPages = 4 * kMaxStackGuard;

// Relaxed throughout: mode is written before the guards it decides about are wanted, counts are
// statistics, and a guard itself is published by the lock under which it is installed.
constinit std::atomic<GuardKind> first_kind{GuardKind::kCanary};
constinit std::atomic<bool> budget_known{false};    // the OS was asked
constinit std::atomic<int64_t> mprotect_budget{0};  // negative: GuardHarden goes beyond it

void Count(GuardKind kind, int64_t n) {
  guard_counts[static_cast<int>(kind)].fetch_add(n, std::memory_order_relaxed);
}

// Asks the OS at the first need: a kernel with guard markers may never have one. Who comes while
// another asks finds a budget of nothing, and takes a canary.
void KnowBudget() {
  if (budget_known.load(std::memory_order_relaxed)) return;
  if (budget_known.exchange(true, std::memory_order_relaxed)) return;
  mprotect_budget.fetch_add(static_cast<int64_t>(MemMaxMappings() / 4), std::memory_order_relaxed);
}

bool ProtectOne(uintptr_t lo, size_t bytes) {
  KnowBudget();
  if (mprotect_budget.fetch_sub(1, std::memory_order_relaxed) > 0 &&
      MemProtectNone(reinterpret_cast<void*>(lo), bytes)) {
    return true;
  }
  mprotect_budget.fetch_add(1, std::memory_order_relaxed);
  return false;
}

}  // namespace

void GuardInit(int64_t mode) {
  GuardKind kind = GuardKind::kCanary;
  if (mode == 1) kind = GuardKind::kMprotect;
  if (mode == 0) kind = MemGuardWorks() ? GuardKind::kKernel : GuardKind::kMprotect;
  first_kind.store(kind, std::memory_order_relaxed);
}

void GuardInstallEach(uintptr_t first, size_t bytes, size_t stride, size_t n, GuardKind* kinds) {
  GuardKind kind = first_kind.load(std::memory_order_relaxed);
  size_t i = 0;
  if (kind == GuardKind::kKernel) {
    size_t done = MemGuardInstallEach(reinterpret_cast<void*>(first), bytes, stride, n);
    for (; i < done; ++i) kinds[i] = GuardKind::kKernel;
    Count(GuardKind::kKernel, static_cast<int64_t>(done));
  }
  for (; i < n; ++i) {
    bool hard = kind != GuardKind::kCanary && ProtectOne(first + i * stride, bytes);
    kinds[i] = hard ? GuardKind::kMprotect : GuardKind::kCanary;
    Count(kinds[i], 1);
  }
}

void GuardHarden(uintptr_t lo, size_t bytes, GuardKind* kind) {
  if (*kind != GuardKind::kCanary || !MemProtectNone(reinterpret_cast<void*>(lo), bytes)) return;
  mprotect_budget.fetch_sub(1, std::memory_order_relaxed);
  Count(GuardKind::kCanary, -1);
  Count(GuardKind::kMprotect, 1);
  *kind = GuardKind::kMprotect;
}

void GuardGap(uintptr_t lo, size_t bytes) {
  void* p = reinterpret_cast<void*>(lo);
  const bool by_pages =
      first_kind.load(std::memory_order_relaxed) == GuardKind::kKernel && bytes <= kMaxGapByPages;
  if (by_pages && MemGuardInstall(p, bytes)) return;
  MemProtectNone(p, bytes);
}

void GuardForget(GuardKind* kinds, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (kinds[i] == GuardKind::kNone) continue;
    Count(kinds[i], -1);
    if (kinds[i] == GuardKind::kMprotect) mprotect_budget.fetch_add(1, std::memory_order_relaxed);
    kinds[i] = GuardKind::kNone;
  }
}

GORT_NO_ASAN GORT_NO_TSAN bool GuardCanaryIntact(uintptr_t lo, size_t bytes) {
  const uintptr_t* p = reinterpret_cast<const uintptr_t*>(lo);
  const uintptr_t* end = reinterpret_cast<const uintptr_t*>(lo + bytes);
  uintptr_t any = 0;
  for (; p != end; p += 8) {
    any |= p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7];
  }
  return any == 0;
}

int64_t GuardMprotectBudget() {
  KnowBudget();
  return mprotect_budget.load(std::memory_order_relaxed);
}

}  // namespace gort::rt
