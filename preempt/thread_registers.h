// preempt/thread_registers.h: has the interrupted code its thread's address in hand?
// What      a goroutine that may move (GoOptions::may_move) must not do so in the few instructions
//           between the computation of a thread-local variable's address and its use. The address is
//           in a register then. One of no further use may be there too, and the goroutine stays on
//           its thread for nothing.
// Layer     7. Package-internal. Signal handlers, but for ThreadRegistersInit.
#ifndef GORT_PREEMPT_THREAD_REGISTERS_H_
#define GORT_PREEMPT_THREAD_REGISTERS_H_

#include "gort/platforms/sigctx.h"

namespace gort::rt {

// Finds out how large the static TLS of a thread is. Once, before the first call of the next.
void ThreadRegistersInit();

// Whether a register points into the calling thread's static TLS.
bool RegisterPointsToThread(const SigCtx& ctx);

}  // namespace gort::rt

#endif  // GORT_PREEMPT_THREAD_REGISTERS_H_
