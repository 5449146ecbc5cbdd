// proc/newproc.cc: making goroutines.
#include <bit>
#include <cstring>
#include <new>

#include "gort/base/bits.h"
#include "gort/base/godebug.h"
#include "gort/base/probe.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/labels.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/trace_hook.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/pins.h"
#include "gort/proc/boot.h"
#include "gort/proc/go.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/internal/time_to_run.h"
#include "gort/proc/proc.h"
#include "gort/stack/internal/stack_alloc.h"
#include "gort/stack/internal/stack_layout.h"
#include "gort/traceback/ancestors.h"

namespace gort::rt {
namespace {

constexpr uint64_t kGoidBatch = 16;
constexpr size_t kMinGoroutineStack = 16 << 10;

// First C++ function of every goroutine; returns into gort_goexit.
void GoStart(void* p) {
  AfterSwitch();
  G* gp = static_cast<G*>(p);
  Unpin();
  gp->entry(gp->closure);
}

uint64_t NextGoid(P* pp) {
  if (pp == nullptr) return sched.goidgen.fetch_add(1, std::memory_order_relaxed) + 1;
  if (pp->goidcache == pp->goidcacheend) {
    pp->goidcache = sched.goidgen.fetch_add(kGoidBatch, std::memory_order_relaxed) + 1;
    pp->goidcacheend = pp->goidcache + kGoidBatch;
  }
  return pp->goidcache++;
}

P* CurrentP() {
  G* self = Getg();
  return self != nullptr ? self->m->p.load(std::memory_order_relaxed) : nullptr;
}

GORT_COLD G* NewG() {
  G* gp = AllocG();
  CasGStatus(gp, kGIdle, kGDead);
  AllGAdd(gp);
  return gp;
}

void GiveStack(G* gp, P* pp, size_t bytes) {
  gp->stack = StackAlloc(bytes, pp != nullptr ? pp->stackcache : nullptr);
  if (gp->stack.lo == 0) {
    Printer() << "gort: " << allglen.load(std::memory_order_relaxed) << " goroutines\n";
    MemExhausted("goroutine stack", bytes);
  }
}

G* GetG(P* pp) {
  G* gp = GfGet(pp);
  return GORT_LIKELY(gp != nullptr) ? gp : NewG();
}

// What to ask StackAlloc for.
size_t ReservationFor(const GoOptions* options) {
  size_t bytes = options != nullptr ? options->stack_size : 0;
  if (bytes == 0) return kDefaultStack;
  if (bytes > kMaxStackBytes) {
    Printer() << "gort: GoOptions::stack_size " << bytes << " exceeds the limit of "
              << kMaxStackBytes << " bytes\n";
    Fatal("stack size too large");
  }
  if (bytes < kMinGoroutineStack) bytes = kMinGoroutineStack;
  return StackReservation(bytes, PageSize());
}

// Makes gp's context: the first switch to it calls GoStart, below `top`.
void Prepare(G* gp, uintptr_t top) {
  gp->sched.sp = MakeContext(top, &GoStart, gp, gp->fp_control);
  SanitizerAdoptStack(gp);
}

// Room for a closure at the upper end of gp's stack.
void* RoomOnStack(G* gp, size_t bytes, size_t align) {
  const uintptr_t at = AlignDown(gp->stack.hi - bytes, align < 16 ? 16 : align);
  Prepare(gp, at);
  return reinterpret_cast<void*>(at);
}

void SetName(G* gp, const GoOptions* options) {
  if (GORT_LIKELY(options == nullptr) || options->name.empty()) return;
  gp->rare = true;
  size_t n = options->name.size();
  if (n > sizeof gp->name_buf - 1) n = sizeof gp->name_buf - 1;
  memcpy(gp->name_buf, options->name.data(), n);
  gp->name_buf[n] = '\0';
  gp->name = gp->name_buf;
}

void BecomeRunnable(G* gp) {
  // A G with ancestors is rare. A report reads the ancestors of a G that it has frozen, and a fresh
  // G is never frozen.
  if (GORT_LIKELY(gp->sched.sp == 0 && !gp->rare)) {
    MakeGFresh(gp);
  } else {
    CasGStatus(gp, kGDead, kGRunnable);
  }
}

// What a goroutine has from its creator. Published with the status.
void Inherit(const G* creator, G* gp) {
  if (void* bubble = creator->bubble.load(std::memory_order_relaxed); bubble != nullptr) {
    gp->bubble.store(bubble, std::memory_order_relaxed);
    gp->rare = true;
  }
  if (LabelSet* labels = creator->labels.load(std::memory_order_relaxed); labels != nullptr) {
    KeepLabels(labels);
    ReplaceLabels(gp, labels);
  }
}

}  // namespace

void BindStackOf(G* dying, G* gp) {
  gp->stack = dying->stack;
  dying->stack = StackBounds{};
  dying->sched.sp = 0;
}

void BeginBound(G* gp) { BeginAgain(gp->stack.hi, &GoStart, gp, gp->fp_control); }

void BindStack(G* gp, P* pp) {
  GiveStack(gp, pp, kDefaultStack);
  Prepare(gp, gp->stack.hi);
}

bool BindsAtOnce(const P* pp) { return StackIsWarm(pp->stackcache); }

G* AllocG() { return new (PersistentAlloc(sizeof(G), alignof(G))) G; }

void AllGAdd(G* gp) {
  if (ReadGStatus(gp) == kGIdle) Throw("allgadd: bad status Gidle");
  G* head = allgs.load(std::memory_order_relaxed);
  do {
    gp->alllink = head;
    // Publishes the initialised G; pairs with: acquire loads of allgs.
  } while (
      !allgs.compare_exchange_weak(head, gp, std::memory_order_release, std::memory_order_relaxed));
  allglen.fetch_add(1, std::memory_order_relaxed);
}

NewGoroutine NewProcBegin(size_t closure_bytes, size_t closure_align, void (*entry)(void*),
                          uintptr_t gopc, const GoOptions* options) {
  // Not pinned: the program's malloc may wait for a goroutine that waits for our P.
  void* closure = nullptr;
  const bool on_heap = closure_bytes > kMaxInlineClosure || closure_align > kMaxInlineClosure;
  if (GORT_UNLIKELY(on_heap)) {
    closure = ::operator new(closure_bytes, static_cast<std::align_val_t>(closure_align));
  }
  PinnedWithP pinned;
  G* self = Getg();
  P* pp = CurrentP();
  G* gp = GetG(pp);
  gp->fp_control = arch::FpControl();
  const bool in_g = closure_bytes <= kClosureInG && closure_align <= 16;
  if (GORT_LIKELY(in_g)) closure = gp->closure_buf;
  const bool on_stack = !in_g && !on_heap;
  // Otherwise the stack comes when the goroutine first runs (BindStack).
  if (GORT_UNLIKELY(on_stack || (options != nullptr && options->stack_size != 0))) {
    GiveStack(gp, pp, ReservationFor(options));
    if (options != nullptr && options->stack_size != 0) gp->rare = true;
    if (on_stack) {
      closure = RoomOnStack(gp, closure_bytes, closure_align);
    } else {
      Prepare(gp, gp->stack.hi);
    }
  }
  if (GORT_UNLIKELY(on_heap)) {
    gp->closure_on_heap = true;
    gp->closure_align_log2 = static_cast<uint8_t>(std::countr_zero(closure_align));
    gp->rare = true;
  }
  gp->entry = entry;
  gp->closure = closure;
  gp->pins = 1;
  gp->gopc = gopc;
  gp->parent_goid = self != nullptr ? self->goid : 0;
  if (GORT_UNLIKELY(godebug.tracebackancestors != 0)) {
    gp->ancestors = SaveAncestors(self, gopc, static_cast<int>(godebug.tracebackancestors));
    gp->rare = true;
  }
  if (self != nullptr && GORT_UNLIKELY(self->rare)) Inherit(self, gp);
  gp->goid = NextGoid(pp);
  gp->may_move = options != nullptr && options->may_move;
  SetName(gp, options);
  return NewGoroutine{gp, closure};
}

void NewProcCommit(G* gp) {
  PinnedWithP pinned;
  Trace(TraceEv::kGoCreate, gp);
  GORT_PROBE(go_create, gp->goid, gp->parent_goid);
  if (P* pp = CurrentP(); GORT_LIKELY(pp != nullptr)) {
    ++pp->counts.created;
    WillBeRunnable(pp, gp);
    BecomeRunnable(gp);
    Submit(pp, gp, true);
    return;
  }
  sched.created_without_p.fetch_add(1, std::memory_order_relaxed);
  WillBeRunnableAnywhere(nullptr, gp);
  {
    // gp becomes runnable and queued in one step for CheckDead, which may not know this thread.
    LockGuard l(&sched.lock);
    BecomeRunnable(gp);
    GlobRunqPut(gp);
  }
  WakeP();
}

void NewProcAbort(G* gp) {
  FreeHeapParts(gp);
  PinnedWithP pinned;
  GfPut(CurrentP(), gp);
}

void MarkMain() {
  G* gp = Getg();
  gp->is_main = true;
  gp->rare = true;
}

void MarkSystem(G* gp) {
  ReplaceLabels(
      gp, nullptr);  // it works for the program, and not for the one that happened to start it
  gp->system = true;
  gp->rare = true;
  sched.ngsys.fetch_add(1, std::memory_order_relaxed);
}

void FreeHeapParts(G* gp) {
  if (GORT_LIKELY(!gp->rare)) return;
  ReplaceLabels(gp, nullptr);
  if (GORT_UNLIKELY(gp->ancestors != nullptr)) {
    FreeAncestors(gp->ancestors);
    gp->ancestors = nullptr;
  }
  if (!gp->closure_on_heap) return;
  ::operator delete (gp->closure, std::align_val_t{size_t{1} << gp->closure_align_log2});
  gp->closure_on_heap = false;
}

void FatalNullFunction() { Fatal("go of nil func value"); }

int64_t GCount() {
  int64_t n = allglen.load(std::memory_order_relaxed) -
              sched.gfree_n.load(std::memory_order_relaxed) -
              sched.ngsys.load(std::memory_order_relaxed);
  for (int32_t i = 0; i < gomaxprocs.load(std::memory_order_relaxed); ++i) {
    P* pp = allp[i].load(std::memory_order_acquire);  // pairs with: ProcResize
    if (pp != nullptr) n -= pp->gfree_n.load(std::memory_order_relaxed);
  }
  // The counts are read one after the other, so the sum may be off by a few.
  const int64_t least = OnGoroutine() ? 1 : 0;
  return n < least ? least : n;
}

}  // namespace gort::rt
