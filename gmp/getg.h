// gmp/getg.h: the current G.
// What      tls.g, one initial-exec thread-local word.
// Why asm   a compiler may compute the address of a thread-local variable once and use it again
//           after a call. A call that parks may return on another thread, and then that address is
//           the other thread's (gcc 12 and clang 14 do this on arm64). Here the whole access,
//           address computation included, is one volatile asm, which may not be merged with
//           another. Everything else of a thread hangs off the G (g.m), so no other thread-local
//           variable is read by code that can park.
// Layer     4. Any thread, any stack, signal handlers. Null on a thread that has no G.
// Go        getg (a register in Go)
#ifndef GORT_GMP_GETG_H_
#define GORT_GMP_GETG_H_

#include "gort/base/attributes.h"
#include "gort/gmp/g.h"

extern "C"
    __attribute__((tls_model("initial-exec"))) thread_local constinit gort::rt::G* gort_tls_g;

namespace gort::rt {

GORT_ALWAYS_INLINE G* Getg() {
  G* gp;
#if defined(__x86_64__)
  asm volatile(
      "movq gort_tls_g@gottpoff(%%rip), %0\n\t"
      "movq %%fs:(%0), %0"
      : "=r"(gp));
#else
  G** at;
  asm volatile(
      "mrs %0, tpidr_el0\n\t"
      "adrp %1, :gottprel:gort_tls_g\n\t"
      "ldr %1, [%1, #:gottprel_lo12:gort_tls_g]\n\t"
      "ldr %0, [%0, %1]"
      : "=&r"(gp), "=&r"(at));
#endif
  return gp;
}

GORT_ALWAYS_INLINE void Setg(G* gp) {
#if defined(__x86_64__)
  G** at;
  asm volatile(
      "movq gort_tls_g@gottpoff(%%rip), %0\n\t"
      "movq %1, %%fs:(%0)"
      : "=&r"(at)
      : "r"(gp)
      : "memory");
#else
  G** at;
  G** base;
  asm volatile(
      "mrs %0, tpidr_el0\n\t"
      "adrp %1, :gottprel:gort_tls_g\n\t"
      "ldr %1, [%1, #:gottprel_lo12:gort_tls_g]\n\t"
      "str %2, [%0, %1]\n\t"
      "mov %0, xzr"  // as Forget in gmp/switch.h
      : "=&r"(base), "=&r"(at)
      : "r"(gp)
      : "memory");
#endif
}

}  // namespace gort::rt

#endif  // GORT_GMP_GETG_H_
