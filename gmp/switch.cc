#include "gort/gmp/switch.h"

#include <cstring>

#include "gort/base/bits.h"
#include "gort/gmp/arch.h"

namespace gort::rt {

uintptr_t MakeContext(uintptr_t top, void (*fn)(void*), void* arg, uint64_t fp_control) {
  // One byte in: an unwinder looks up the byte before a return address (proc/goexit_<cpu>.S).
  top = arch::PushReturn(AlignDown(top, 16), reinterpret_cast<uintptr_t>(&gort_goexit) + 1);
  uintptr_t sp = top - sizeof(SwitchFrame);
  SwitchFrame* frame = reinterpret_cast<SwitchFrame*>(sp);
  memset(static_cast<void*>(frame), 0, sizeof *frame);
  frame->pc = reinterpret_cast<uintptr_t>(&gort_gostart);
  arch::FillFrame(frame, fn, arg, fp_control);
  return sp;
}

uintptr_t MakeContext(uintptr_t top, void (*fn)(void*), void* arg) {
  return MakeContext(top, fn, arg, arch::FpControl());
}

void BeginAgain(uintptr_t top, void (*fn)(void*), void* arg, uint64_t fp_control) {
  arch::SetFpControl(fp_control);  // on x86-64 reading them costs five times as much
  top = arch::PushReturn(AlignDown(top, 16), reinterpret_cast<uintptr_t>(&gort_goexit) + 1);
  gort_begin_again(top, fn, arg);
}

void SystemStack(void (*fn)(void*), void* arg) {
  G* gp = Getg();
  if (gp == nullptr || gp->foreign || gp == gp->m->g0 || gp == gp->m->gsignal) {
    fn(arg);
    return;
  }
  Pinned pinned;
  G* g0 = gp->m->g0;
#if GORT_ASAN
  __sanitizer_start_switch_fiber(&gp->asan_fake_stack, reinterpret_cast<void*>(g0->stack.lo),
                                 g0->stack.hi - g0->stack.lo);
#endif
  struct Call {
    void (*fn)(void*);
    void* arg;
    G* from;
  } call{fn, arg, gp};
  Setg(g0);
  gort_systemstack(
      [](void* p) {
        Call* c = static_cast<Call*>(p);
#if GORT_ASAN
        __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
        c->fn(c->arg);
#if GORT_ASAN
        __sanitizer_start_switch_fiber(nullptr, reinterpret_cast<void*>(c->from->stack.lo),
                                       c->from->stack.hi - c->from->stack.lo);
#endif
      },
      &call, AlignDown(g0->sched.sp, 16));
  Setg(gp);
#if GORT_ASAN
  __sanitizer_finish_switch_fiber(gp->asan_fake_stack, nullptr, nullptr);
#endif
}

void SanitizerAdoptStack(G* gp) {
#if GORT_TSAN
  if (gp->tsan_fiber == nullptr) gp->tsan_fiber = __tsan_create_fiber(0);
#endif
  (void)gp;
}

void SanitizerDropStack(G* gp) {
#if GORT_TSAN
  if (gp->tsan_fiber != nullptr) __tsan_destroy_fiber(gp->tsan_fiber);
  gp->tsan_fiber = nullptr;
#endif
  (void)gp;
}

}  // namespace gort::rt
