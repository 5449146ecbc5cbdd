// traceback/unwind.h: the frames of a goroutine.
// What      walks the current context, one that a signal interrupted, or a parked goroutine's.
// How       all three by the compiler's own unwind tables (CFI) and libgcc's _Unwind_Backtrace. For
//           a context that is not ours, gort_unwind_from calls it with tables that say "the
//           caller's registers are in this record", so the unwinder steps from our frame into the
//           other context as if it had called us. No stack is switched, and the walked stack is not
//           written to: it may be full, guarded, or one that its thread has left.
// Why not frame pointers   the C library is compiled without them, and a goroutine may be parked
//           below a callback from it (so is gort with --config=opt). The tables are exact at every
//           instruction in code that was compiled with -fasynchronous-unwind-tables, as gort is.
// End       gort_goexit's return address is undefined, which ends the walk; its frame is not given.
//           A frame without tables (generated code) ends it too.
// Layer     5. Allocates nothing. Signal handlers: yes, with what libgcc 12 and glibc 2.36 do
//           (_dl_find_object takes no lock); a statically linked program has static_frames.cc.
//           The walked context must not run meanwhile; see FreezeG in traceback.cc.
// Go        unwinder (traceback.go), gentraceback
#ifndef GORT_TRACEBACK_UNWIND_H_
#define GORT_TRACEBACK_UNWIND_H_

#include <cstdint>

#include "gort/gmp/gobuf.h"
#include "gort/platforms/sigctx.h"

namespace gort::rt {

struct Frame {
  uintptr_t pc;  // of the next instruction to run in this frame
  uintptr_t sp;  // its stack pointer there; 0: unknown
  bool exact;    // pc was interrupted there; else it is a return address

  // An address inside the instruction that the frame is at, for looking up symbols.
  uintptr_t lookup_pc() const { return exact ? pc : pc - 1; }
};

// Called for each frame, innermost first; false stops the walk.
using FrameFn = bool (*)(const Frame& frame, void* arg);

// Walks the caller's stack, leaving out the `skip` innermost frames above the caller's own (0: the
// caller is the first).
void UnwindCurrent(int skip, FrameFn fn, void* arg);
// Walks a context that gort_switch saved. A goroutine that has not run yet has no frames.
void UnwindGobuf(const Gobuf& buf, FrameFn fn, void* arg);
// Walks what a signal interrupted. Where a call led to an address that holds no code, that address is
// the first frame, and the caller is the second. True: the walk reached the end of a goroutine's
// stack, so that fn saw all of its frames.
bool UnwindSigCtx(const SigCtx& ctx, FrameFn fn, void* arg);

// Stores up to max pcs (as in Frame::lookup_pc) of the caller's stack; returns how many.
int Callers(int skip, uintptr_t* pcs, int max);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_UNWIND_H_
