// platforms/signal.h: signal masks, stacks and handlers. See sigaction(2), sigaltstack(2).
// Layer     2. Any thread; errno is left as it was.
#ifndef GORT_PLATFORMS_SIGNAL_H_
#define GORT_PLATFORMS_SIGNAL_H_

#include <signal.h>

#include <cstddef>

namespace gort::rt {

using SigSet = sigset_t;

// Blocks every signal for the calling thread; *before gets the old mask.
void SigBlockAll(SigSet* before);
void SigRestore(const SigSet& mask);
SigSet SigCurrentMask();
void SigUnblock(int sig);

// Bytes of a signal stack that holds the kernel's frame (AT_MINSIGSTKSZ, with a floor) and our
// handlers.
size_t SigStackBytes();
// Makes [lo, lo + bytes) the calling thread's alternate signal stack; null: none.
void SigStackSet(void* lo, size_t bytes);

using SigHandler = void (*)(int sig, siginfo_t* info, void* ucontext);
// Installs a handler on the alternate stack with every signal blocked while it runs; *before (may
// be null) gets what was there. False: not a catchable signal.
bool SigInstall(int sig, SigHandler handler, struct sigaction* before);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_SIGNAL_H_
