// proc/gfree.cc: dead goroutines, kept for reuse: per P first, then the global lists.
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/stack/internal/stack_alloc.h"

namespace gort::rt {
namespace {

constexpr int32_t kLocalMax = 64;
constexpr int32_t kRefill = 32;

int32_t Local(P* pp) { return pp->gfree_n.load(std::memory_order_relaxed); }
void SetLocal(P* pp, int32_t n) { pp->gfree_n.store(n, std::memory_order_relaxed); }

G* PopGlobal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.gfree_lock) {
  G* gp = sched.gfree.Pop();
  if (gp != nullptr) sched.gfree_n.fetch_sub(1, std::memory_order_relaxed);
  return gp;
}

void PushGlobal(G* gp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.gfree_lock) {
  sched.gfree.Push(gp);
  sched.gfree_n.fetch_add(1, std::memory_order_relaxed);
}

GORT_COLD void Refill(P* pp) {
  LockGuard l(&sched.gfree_lock);
  int32_t n = Local(pp);
  for (; n < kRefill; ++n) {
    G* gp = PopGlobal();
    if (gp == nullptr) break;
    pp->gfree.Push(gp);
  }
  SetLocal(pp, n);
}

// The next goroutine that begins on this P finds the stack while it is in the caches.
void TakeStack(G* gp, P* pp) {
  SanitizerDropStack(gp);
  StackFree(gp->stack, pp != nullptr ? pp->stackcache : nullptr);
  gp->stack = StackBounds{};
  gp->sched.sp = 0;
}

GORT_COLD void ResetRare(G* gp) {
  if (gp->system) sched.ngsys.fetch_sub(1, std::memory_order_relaxed);  // a statistic
  gp->system = false;
  gp->is_main = false;
  gp->goexiting = false;
  gp->lockedm = nullptr;
  gp->name = nullptr;
  gp->bubble.store(nullptr, std::memory_order_relaxed);
  gp->rare = false;
}

void SpillTo(P* pp, int32_t keep) {
  LockGuard l(&sched.gfree_lock);
  int32_t n = Local(pp);
  for (; n > keep; --n) PushGlobal(pp->gfree.Pop());
  SetLocal(pp, n);
}

}  // namespace

G* GfGet(P* pp) {
  if (pp == nullptr) {  // a foreign thread
    LockGuard l(&sched.gfree_lock);
    return PopGlobal();
  }
  if (GORT_UNLIKELY(pp->gfree.empty())) {
    if (sched.gfree_n.load(std::memory_order_relaxed) == 0) return nullptr;
    Refill(pp);
  }
  G* gp = pp->gfree.Pop();
  if (gp != nullptr) SetLocal(pp, Local(pp) - 1);
  return gp;
}

void GfPut(P* pp, G* gp) {
  if (ReadGStatus(gp) != kGDead) Throw("gfput: bad status (not Gdead)");
  if (GORT_LIKELY(gp->stack.lo != 0)) TakeStack(gp, pp);
  if (GORT_UNLIKELY(gp->rare)) ResetRare(gp);
  if (pp == nullptr) {
    LockGuard l(&sched.gfree_lock);
    PushGlobal(gp);
    return;
  }
  pp->gfree.Push(gp);
  SetLocal(pp, Local(pp) + 1);
  if (GORT_UNLIKELY(Local(pp) >= kLocalMax)) SpillTo(pp, kLocalMax / 2);
}

void GfPurge(P* pp) { SpillTo(pp, 0); }

}  // namespace gort::rt
