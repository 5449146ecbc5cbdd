// profile/internal/cpu_handler.h: what a thread was doing when its timer's signal came.
// What      the handler of SIGPROF. It notes the interrupted stack, by the same tables as a fatal report
//           (traceback/unwind.h), takes no lock and allocates nothing.
// Faults    a table that is wrong about its code (of a library in assembly) may lead the unwinder to an
//           address without memory. The fault ends the walk, with the frames up to there.
// Calls     a thread's timer goes while the thread runs, so that a call which sleeps in the kernel is not
//           ended. One that is about to sleep may be: it is made again where that can be told, as
//           pre-emption does (preempt/blocked_call.h).
// Layer     8.                                                    Go: sigprof (proc.go)
#ifndef GORT_PROFILE_INTERNAL_CPU_HANDLER_H_
#define GORT_PROFILE_INTERNAL_CPU_HANDLER_H_

#include <cstdint>

#include "gort/profile/internal/sample_queue.h"

namespace gort::rt {

enum class CpuSource { kNone, kThreads, kProcess };

// Takes the signal, the first time, and takes it back from who has installed a handler since.
void CpuHandlerInstall();
// Gives it back to that one.
void CpuHandlerRemove();
// Whether signals are noted, and of which timers.
void CpuHandlerListen(CpuSource source);

// What the handlers note; one thread takes it.
extern SampleQueue cpu_samples;
// How many periods found no place there, since the last call.
int64_t TakeCpuSamplesLost();

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_CPU_HANDLER_H_
