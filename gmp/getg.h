// gmp/getg.h: the current G.
// What      gort_tls_g, one initial-exec thread-local word.
// Why asm   a compiler may compute the address of a thread-local variable once and use it again
//           after a call. A call that parks may return on another thread, and then that address is
//           the other thread's (gcc 12 and clang 14 do this on arm64). Here the whole access,
//           address computation included, is one volatile asm (gmp/arch_<cpu>.h), which the
//           compiler may not merge with another. The rest of a thread's state hangs off the G
//           (g.m), but for the counts of platforms/pins.h, which are read in the same way: code that
//           can park reads no other thread-local variable.
// LTO       the compiler does not see what an asm names. So the header defines the variable, in each
//           file that reads it, and `used` keeps it: no file must be pulled out of an archive for
//           it, and link-time optimisation neither drops it nor makes it local to another part.
// Layer     4. Any thread, any stack, signal handlers. Null on a thread that has no G.
// Go        getg (a register in Go)
#ifndef GORT_GMP_GETG_H_
#define GORT_GMP_GETG_H_

#include "gort/base/attributes.h"
#include "gort/gmp/arch.h"
#include "gort/gmp/g.h"

extern "C" {
// Hidden, as gort_tls_pins is: each library with gort inside has its own.
__attribute__((tls_model("initial-exec"), visibility("hidden"),
               used)) inline thread_local constinit gort::rt::G* gort_tls_g = nullptr;
}

namespace gort::rt {

GORT_ALWAYS_INLINE G* Getg() { return arch::LoadG(); }

GORT_ALWAYS_INLINE void Setg(G* gp) { arch::StoreG(gp); }

}  // namespace gort::rt

#endif  // GORT_GMP_GETG_H_
