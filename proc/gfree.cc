// proc/gfree.cc: dead goroutines, kept for reuse: per P first, then the global lists.
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"
#include "gort/stack/internal/stack_alloc.h"

namespace gort::rt {

// Half of what a P keeps. An array, because to follow a list of dead Gs means to wait for each one's
// memory.
struct GFreeBatch {
  static constexpr int32_t kSize = kGFreeCacheSize / 2;
  GFreeBatch* next = nullptr;
  G* g[kSize] = {};
};

namespace {

constexpr int32_t kHalf = GFreeBatch::kSize;

int32_t Local(P* pp) { return pp->gfree_n.load(std::memory_order_relaxed); }
void SetLocal(P* pp, int32_t n) { pp->gfree_n.store(n, std::memory_order_relaxed); }

void AddGlobal(int32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.gfree_lock) {
  sched.gfree_n.fetch_add(n, std::memory_order_relaxed);
}

GFreeBatch* Pop(GFreeBatch** list) {
  GFreeBatch* b = *list;
  if (b != nullptr) *list = b->next;
  return b;
}
void Push(GFreeBatch** list, GFreeBatch* b) {
  b->next = *list;
  *list = b;
}

void PushGlobal(G* gp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.gfree_lock) {
  sched.gfree.Push(gp);
  AddGlobal(1);
}

// Breaks a batch up into Gs one by one. False: there is none.
bool BreakUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.gfree_lock) {
  GFreeBatch* b = Pop(&sched.gfree_batches);
  if (b == nullptr) return false;
  for (G* gp : b->g) sched.gfree.Push(gp);
  Push(&sched.gfree_no_batches, b);
  return true;
}

G* PopGlobal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.gfree_lock) {
  if (sched.gfree.empty() && !BreakUp()) return nullptr;
  AddGlobal(-1);
  return sched.gfree.Pop();
}

// pp has none.
GORT_COLD void Refill(P* pp) {
  LockGuard l(&sched.gfree_lock);
  int32_t n = 0;
  if (GFreeBatch* b = Pop(&sched.gfree_batches); b != nullptr) {
    for (; n < kHalf; ++n) pp->gfreebuf[n] = b->g[n];
    Push(&sched.gfree_no_batches, b);
  } else {
    while (n < kHalf && !sched.gfree.empty()) pp->gfreebuf[n++] = sched.gfree.Pop();
  }
  AddGlobal(-n);
  SetLocal(pp, n);
}

// pp is full: the half that has been dead longer goes.
GORT_COLD void SpillHalf(P* pp) {
  LockGuard l(&sched.gfree_lock);
  GFreeBatch* b = Pop(&sched.gfree_no_batches);
  if (b == nullptr) b = new (PersistentAlloc(sizeof(GFreeBatch), alignof(GFreeBatch))) GFreeBatch;
  for (int32_t i = 0; i < kHalf; ++i) {
    b->g[i] = pp->gfreebuf[i];
    pp->gfreebuf[i] = pp->gfreebuf[kHalf + i];
  }
  Push(&sched.gfree_batches, b);
  AddGlobal(kHalf);
  SetLocal(pp, kHalf);
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
  gp->leaked = false;
  gp->lockedm = nullptr;
  gp->name = nullptr;
  gp->bubble.store(nullptr, std::memory_order_relaxed);
  gp->rare = false;
}

}  // namespace

G* GfGet(P* pp) {
  if (pp == nullptr) {  // a foreign thread
    LockGuard l(&sched.gfree_lock);
    return PopGlobal();
  }
  if (GORT_UNLIKELY(Local(pp) == 0)) {
    if (sched.gfree_n.load(std::memory_order_relaxed) == 0) return nullptr;
    Refill(pp);
    if (Local(pp) == 0) return nullptr;  // others were faster
  }
  const int32_t n = Local(pp) - 1;
  SetLocal(pp, n);
  if (n > 0) PrefetchG(pp->gfreebuf[n - 1]);
  return pp->gfreebuf[n];
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
  if (GORT_UNLIKELY(Local(pp) == kGFreeCacheSize)) SpillHalf(pp);
  const int32_t n = Local(pp);
  pp->gfreebuf[n] = gp;
  SetLocal(pp, n + 1);
}

void GfPurge(P* pp) {
  LockGuard l(&sched.gfree_lock);
  for (int32_t n = Local(pp); n > 0; --n) PushGlobal(pp->gfreebuf[n - 1]);
  SetLocal(pp, 0);
}

void ForEachFreeG(void (*f)(G* gp, void* arg), void* arg) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (G* gp = sched.gfree.First(); gp != nullptr; gp = gp->schedlink) f(gp, arg);
  for (const GFreeBatch* b = sched.gfree_batches; b != nullptr; b = b->next) {
    for (G* gp : b->g) f(gp, arg);
  }
  for (const auto& at : allp) {
    P* pp = at.load(std::memory_order_acquire);  // pairs with: ProcResize
    if (pp == nullptr) return;
    for (int32_t i = 0; i < Local(pp); ++i) f(pp->gfreebuf[i], arg);
  }
}

}  // namespace gort::rt
