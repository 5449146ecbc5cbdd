// gmp/switch.h: leaving one stack for another.
// What      SwitchTo is the one way to change contexts, between goroutines and between a goroutine
//           and the scheduler's g0. The context that is resumed finishes what the one that left
//           could not do itself: while A is still on its own stack, no other M may run A.
//
//             on stack A                          on stack B, resumed from its own SwitchTo
//             A's status is still kGRunning
//             SwitchTo(B, fn) --- gort_switch --> AfterSwitch: fn(A): status -> kGWaiting, unlock
//                                                 from here on another M may run A
//
// Rejected  Go's gogo and mcall: mcall starts g0 afresh each time and abandons its frames. Here g0
//           is a loop that is left and re-entered, so that its frames stay balanced: destructors,
//           sanitizers' shadow stacks and unwinders see ordinary calls, and a goroutine may switch
//           straight to the next one with the same primitive (docs/adr/0002).
// State     callee-saved registers and the FP control words travel on the stack; exception state,
//           errno and pins travel in the G. Caller-saved registers, vector state included, are dead
//           here.
// Layer     4. No runtime lock held. SwitchTo only from the stack of Getg().
// Go        gogo, mcall, systemstack (asm_amd64.s)
#ifndef GORT_GMP_SWITCH_H_
#define GORT_GMP_SWITCH_H_

#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/gmp/arch.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/platforms/pins.h"

#if GORT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if GORT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

extern "C" {
// Pushes a SwitchFrame on the current stack, stores the stack pointer in *save, makes to_sp the
// stack pointer, pops the SwitchFrame there and returns to its pc.
void gort_switch(uintptr_t* save, uintptr_t to_sp);
// Calls fn(arg) on the stack that ends at top (16-byte aligned) and returns to this one.
void gort_systemstack(void (*fn)(void*), void* arg, uintptr_t top);
// Makes top the stack pointer and calls fn(arg), with gort_goexit as the return address, as PushReturn
// put it there.
[[noreturn]] void gort_begin_again(uintptr_t top, void (*fn)(void*), void* arg);
// First pc of a new context: passes x20/r13 to the function in x19/r12, with gort_goexit as the
// return address. Not callable.
void gort_gostart();
// The caller of every goroutine's first function, for unwinders: its frame is the outermost one.
void gort_goexit();
}

namespace gort::rt {

// Prepares a stack so that switching to the returned sp calls fn(arg) on it. fn returns into
// gort_goexit. top is rounded down to 16 bytes. fp_control: arch::FpControl() of the creator; without
// it the caller's.
uintptr_t MakeContext(uintptr_t top, void (*fn)(void*), void* arg, uint64_t fp_control);
uintptr_t MakeContext(uintptr_t top, void (*fn)(void*), void* arg);
// The same on the caller's own stack, at once. The frames that are on it are left, not unwound.
[[noreturn]] void BeginAgain(uintptr_t top, void (*fn)(void*), void* arg, uint64_t fp_control);

namespace internal {

inline void SaveThreadState(G* from, M* mp) {
  EhGlobals* eh = mp->eh;
  from->eh = *eh;
  arch::Forget(eh);
  int* errno_ptr = mp->errno_ptr;
  from->saved_errno = *errno_ptr;
  arch::Forget(errno_ptr);
}
inline void RestoreThreadState(G* gp, M* mp) {
  EhGlobals* eh = mp->eh;
  *eh = gp->eh;
  arch::Forget(eh);
  int* errno_ptr = mp->errno_ptr;
  *errno_ptr = gp->saved_errno;
  arch::Forget(errno_ptr);
}

}  // namespace internal

// The first thing a context does when it is resumed (SwitchTo does it; a new context's first
// function must).
GORT_ALWAYS_INLINE void AfterSwitch() {
  G* gp = Getg();
  M* mp = gp->m;
#if GORT_ASAN
  __sanitizer_finish_switch_fiber(gp->asan_fake_stack, nullptr, nullptr);
#endif
  internal::RestoreThreadState(gp, mp);
  if (void (*fn)(G*) = mp->after_fn; fn != nullptr) {
    mp->after_fn = nullptr;
    fn(mp->after_g);
  }
}

// Leaves the current context for that of `to` (to->m must be set already: the current M). Requires:
// pinned (platforms/pins.h); when it returns the context is pinned as before. Once on
// the other stack, fn(from) runs there (null: nothing). Returns when somebody switches back,
// perhaps on another M. `dying`: the context is never resumed.
GORT_ALWAYS_INLINE void SwitchTo(G* from, G* to, void (*fn)(G*), bool dying = false) {
  M* mp = from->m;
  mp->after_fn = fn;
  mp->after_g = from;
  internal::SaveThreadState(from, mp);
#if GORT_ASAN
  __sanitizer_start_switch_fiber(dying ? nullptr : &from->asan_fake_stack,
                                 reinterpret_cast<void*>(to->stack.lo),
                                 to->stack.hi - to->stack.lo);
#endif
#if GORT_TSAN
  __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
  (void)dying;
  from->pins = Pins();
  Setg(to);
  SetPins(to->pins);
  gort_switch(&from->sched.sp, to->sched.sp);
  AfterSwitch();
}

// Runs fn(arg) on the M's g0 stack; on g0 already: just calls it. fn must not switch. Go:
// systemstack.
void SystemStack(void (*fn)(void*), void* arg);

// The same for a callable that captures by reference.
template <class F>
void OnSystemStack(F&& f) {
  SystemStack([](void* p) { (*static_cast<F*>(p))(); },
              const_cast<void*>(static_cast<const void*>(&f)));
}

// Sanitizer bookkeeping for a G whose stack was just given to it / is about to be taken away.
void SanitizerAdoptStack(G* gp);
void SanitizerDropStack(G* gp);

}  // namespace gort::rt

#endif  // GORT_GMP_SWITCH_H_
