// proc/gfree.cc: dead goroutines, kept for reuse: per P first, then the global lists.
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/clock.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/monitor.h"
#include "gort/stack/internal/stack_alloc.h"

namespace gort::rt {
namespace {

constexpr int32_t kLocalMax = 64;
constexpr int32_t kRefill = 32;

// The number of Gs with stacks on the global list now, and the lowest it has been since
// TakeUnusedStacks looked: that many were not needed.
struct StackCount {
  int32_t now = 0;
  int32_t low = 0;
};
constinit StackCount with_stack;  // guarded by sched.gfree_lock

int32_t Local(P* pp) { return pp->gfree_n.load(std::memory_order_relaxed); }
void SetLocal(P* pp, int32_t n) { pp->gfree_n.store(n, std::memory_order_relaxed); }

G* PopGlobal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.gfree_lock) {
  G* gp = sched.gfree_stack.Pop();
  if (gp != nullptr) {
    if (--with_stack.now < with_stack.low) with_stack.low = with_stack.now;
  } else {
    gp = sched.gfree_no_stack.Pop();
  }
  if (gp != nullptr) sched.gfree_n.fetch_sub(1, std::memory_order_relaxed);
  return gp;
}

void PushGlobal(G* gp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.gfree_lock) {
  if (gp->stack.lo != 0) {
    sched.gfree_stack.Push(gp);
    ++with_stack.now;
  } else {
    sched.gfree_no_stack.Push(gp);
  }
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

G* GfGetBare() {
  LockGuard l(&sched.gfree_lock);
  G* gp = sched.gfree_no_stack.Pop();
  if (gp != nullptr) sched.gfree_n.fetch_sub(1, std::memory_order_relaxed);
  return gp;
}

namespace {

// Takes from a dead G what its next goroutine must not find: a stack of a non-standard size, the
// mark of a system goroutine.
GORT_COLD void Plain(G* gp, P* pp) {
  if (gp->large_stack) {
    StackFree(gp->stack, pp != nullptr ? pp->stackcache : nullptr);
    gp->stack = StackBounds{};
    gp->stackguard1 = 0;
    gp->large_stack = false;
  }
  if (gp->system) {
    gp->system = false;
    sched.ngsys.fetch_sub(1, std::memory_order_relaxed);  // a statistic
  }
}

}  // namespace

void GfPut(P* pp, G* gp) {
  if (ReadGStatus(gp) != kGDead) Throw("gfput: bad status (not Gdead)");
  const bool bare = gp->large_stack;
  // One branch for both.
  if (GORT_UNLIKELY((static_cast<int>(bare) | static_cast<int>(gp->system)) != 0)) Plain(gp, pp);
  // A bare G goes where GfGetBare finds it: a program that asks for stacks of its own size makes no
  // others, and would never empty a P's list.
  if (bare || pp == nullptr) {
    LockGuard l(&sched.gfree_lock);
    PushGlobal(gp);
    return;
  }
  pp->gfree.Push(gp);
  SetLocal(pp, Local(pp) + 1);
  if (GORT_UNLIKELY(Local(pp) >= kLocalMax)) SpillTo(pp, kLocalMax / 2);
}

void GfPurge(P* pp) { SpillTo(pp, 0); }

namespace {

// Gs with stacks that TakeUnusedStacks has still to take; negative: no sweep is under way. The
// caller's of ScavengeStacks.
constinit int32_t unused = -1;
constexpr int32_t kTakenAtOnce = 64;

// How many of the dead Gs with stacks were not needed since the last call.
int32_t NotNeeded() {
  LockGuard l(&sched.gfree_lock);
  const int32_t n = with_stack.low;
  with_stack.low = with_stack.now;
  return n;
}

// Takes the stacks of up to n of them; returns how many.
int32_t TakeUnusedStacks(int32_t n) {
  GList idle;
  int32_t taken = 0;
  {
    LockGuard l(&sched.gfree_lock);
    for (; taken < n && with_stack.now > 0; ++taken) {
      idle.Push(sched.gfree_stack.Pop());
      --with_stack.now;
      sched.gfree_n.fetch_sub(1, std::memory_order_relaxed);
    }
    if (with_stack.now < with_stack.low) with_stack.low = with_stack.now;
  }
  GList bare;
  while (G* gp = idle.Pop()) {
    StackFree(gp->stack, nullptr);
    gp->stack = StackBounds{};
    gp->stackguard1 = 0;
    bare.Push(gp);
  }
  LockGuard l(&sched.gfree_lock);
  while (G* gp = bare.Pop()) PushGlobal(gp);
  return taken;
}

}  // namespace

bool ScavengeStacks(int64_t unused_ns, int64_t deadline, int64_t* bytes) {
  if (unused < 0) unused = NotNeeded();
  while (unused > 0) {
    const int32_t n = unused < kTakenAtOnce ? unused : kTakenAtOnce;
    unused = TakeUnusedStacks(n) == n ? unused - n : 0;
    if (Nanotime() >= deadline) return true;
  }
  if (StackSweep(unused_ns, deadline, bytes)) return true;
  unused = -1;
  return false;
}

bool StacksToScavenge() {
  {
    LockGuard l(&sched.gfree_lock);
    if (with_stack.now > 0) return true;
  }
  return StackScavengeDebt() > 0;
}

}  // namespace gort::rt
