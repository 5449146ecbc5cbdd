// proc/goexit.cc: how a goroutine ends: by returning, or by Goexit from any depth.
#include <unwind.h>

#include "gort/base/attributes.h"
#include "gort/base/probe.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/trace_hook.h"
#include "gort/platforms/pins.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/proc.h"
#include "gort/stack/internal/overflow.h"

namespace gort::rt {
namespace {

static_assert(sizeof(_Unwind_Exception) <= sizeof(G::goexit_exception));

// "gortGxit". The unwinder takes it for another language's: catch (...) sees it, no other clause.
constexpr uint64_t kGoexitClass = 0x676f727447786974;

// True for an address in gort_goexit, to which a goroutine's first function returns (MakeContext).
bool IsGoexitPc(uintptr_t pc) {
  uintptr_t start = reinterpret_cast<uintptr_t>(&gort_goexit);
  return pc > start && pc <= start + 4;
}

_Unwind_Reason_Code AtFrame(int, _Unwind_Action actions, _Unwind_Exception_Class,
                            _Unwind_Exception*, _Unwind_Context* context, void*) {
  if (IsGoexitPc(_Unwind_GetIP(context))) gort_goexit1();
  if ((actions & _UA_END_OF_STACK) != 0) Throw("Goexit: a frame has no unwind information");
  return _URC_NO_REASON;
}

[[noreturn]] void Unwind(_Unwind_Exception* exception) {
  _Unwind_ForcedUnwind(exception, &AtFrame, nullptr);
  Throw("Goexit: unwinding failed");
}

// Called when a catch (...) clause has ended without rethrowing. The goroutine goes on ending from
// here, as in Go, where recover does not stop Goexit.
void Swallowed(_Unwind_Reason_Code, _Unwind_Exception* exception) { Unwind(exception); }

}  // namespace

void Goexit() {
  G* gp = CurrentG();
  if (gp->foreign) Fatal("Goexit called from a thread that is not a goroutine");
  gp->goexiting = true;
  gp->rare = true;
  auto* exception = reinterpret_cast<_Unwind_Exception*>(gp->goexit_exception);
  *exception = _Unwind_Exception{};
  exception->exception_class = kGoexitClass;
  exception->exception_cleanup = &Swallowed;
  Unwind(exception);
}

void GoExit0(G* gp) {
  G* self = Getg();
  M* mp = self->m;
  CheckLeftStack(gp);
  GORT_PROBE(go_end, gp->goid, uint64_t{0});
  CasGStatus(gp, kGRunning, kGDead);
  gp->m = nullptr;
  if (self == mp->g0) mp->curg.store(nullptr, std::memory_order_relaxed);
  gp->preempt.store(false, std::memory_order_relaxed);
  gp->eh = EhGlobals{};
  gp->saved_errno = 0;
  if constexpr (GORT_ASAN) gp->asan_fake_stack = nullptr;
  if (GORT_UNLIKELY(gp->rare && gp->lockedm != nullptr)) {
    // The thread ends as well: a locked goroutine may have left it in any state.
    mp->lockedg.store(nullptr, std::memory_order_relaxed);
    mp->locked_ext = 0;
    mp->exiting = true;
  }
  GfPut(mp->p.load(std::memory_order_relaxed), gp);
}

namespace {

// A goroutine that has not begun can do so on the stack of one that ends, without a switch, and with what
// is in the caches. Sanitizers follow each goroutine by its own stack.
bool CanTakeOver(const G* dying, const G* next) {
  return !GORT_ASAN && !GORT_TSAN && !dying->rare && IsGFresh(next);
}

[[noreturn]] void TakeOver(M* mp, G* dying, G* next, bool inherit_time) {
  CheckLeftStack(dying);
  BindStackOf(dying, next);
  Setg(next);
  SetPins(next->pins);
  TieFresh(mp, next, inherit_time);
  GoExit0(dying);
  BeginBound(next);
}

}  // namespace

void EndLocals(G* gp) {
  if (gp->locals != nullptr) gp->locals->end(gp);
}

}  // namespace gort::rt

#if GORT_ASAN
extern "C" void __asan_handle_no_return();
#endif

// Its frame is left for good: not one whose variables stand between poisoned bytes.
extern "C" GORT_NO_ASAN void gort_goexit1() {
  using namespace gort::rt;  // NOLINT(google-build-using-namespace): a C function
  G* gp = Getg();
  if (GORT_UNLIKELY(gp->rare)) {
    EndLocals(gp);
    FreeHeapParts(gp);
  }
  PinWithP();  // for good: a new goroutine begins with its own count
  M* mp = gp->m;
  if (mp->locks != 0) Throw("goexit: holding locks");
  if (GORT_UNLIKELY(gp->rare) && gp->is_main && gp->goexiting) sched.main_goexited.store(true);
#if GORT_ASAN
  __asan_handle_no_return();  // the frames left behind here never return
#endif
  Trace(TraceEv::kGoEnd, gp);
  bool inherit_time = false;
  G* next = PickDirect(gp, mp, &inherit_time);
  if (next != nullptr) {
    if (CanTakeOver(gp, next)) TakeOver(mp, gp, next, inherit_time);
    Tie(mp, next, inherit_time);
  }
  SwitchTo(gp, next != nullptr ? next : mp->g0, &GoExit0, /*dying=*/true);
  Throw("goexit: a dead goroutine was resumed");
}
