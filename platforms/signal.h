// platforms/signal.h: signal masks, stacks and handlers. See sigaction(2), sigaltstack(2).
// Layer     2. Any thread, any stack, signal handlers; errno is left as it was.
//           "Every signal" is every one that can be blocked, but the two that the C library keeps for
//           itself.
//           Go: os_linux.go, signal_unix.go
#ifndef GORT_PLATFORMS_SIGNAL_H_
#define GORT_PLATFORMS_SIGNAL_H_

#include <signal.h>

#include <cstddef>

namespace gort::rt {

using SigSet = sigset_t;

// Blocks every signal for the calling thread; *before gets the old mask.
void SigBlockAll(SigSet* before);
// Makes mask the calling thread's. Go: sigprocmask.
void SigRestore(const SigSet& mask);
// The signals that the calling thread blocks.
SigSet SigCurrentMask();
// Lets sig through to the calling thread. Go: unblocksig.
void SigUnblock(int sig);

// Bytes of a signal stack that holds the kernel's frame (AT_MINSIGSTKSZ, with a floor) and our
// handlers; a multiple of the page size. Go: mpreinit (gsignal's 32 KiB; differs: the kernel asks).
size_t SigStackBytes();
// Makes [lo, lo + bytes) the calling thread's alternate signal stack; null: none. Not from a
// handler that runs on it. Throws "sigaltstack failed" (too small, or in use). Go: signalstack.
void SigStackSet(void* lo, size_t bytes);

// The calling thread's alternate signal stack; *lo null: none.
void SigStackGet(void** lo, size_t* bytes);

using SigHandler = void (*)(int sig, siginfo_t* info, void* ucontext);
// Installs a handler for the process: on the alternate stack of the thread that gets the signal,
// with every signal blocked while it runs, system calls restarted after it. *before (may be null)
// gets what was there. False: not a catchable signal. Go: setsig.
bool SigInstall(int sig, SigHandler handler, struct sigaction* before);

// What happens on sig now. False: no such signal. Go: getsig.
bool SigGetAction(int sig, struct sigaction* sa);
// Makes sa what happens on sig. False: no such signal, or none that can be caught.
bool SigSetAction(int sig, const struct sigaction& sa);
// Makes the default action what happens on sig. Go: setsig(sig, _SIG_DFL).
void SigSetDefault(int sig);

// Keeps SIGPIPE from the calling thread while it lives, for a write to what may have no reader.
class SigPipeBlock {
 public:
  SigPipeBlock();
  // After a write that failed for want of a reader: takes away the signal that it made. One that was
  // waiting before stays.
  void TakeAway();
  ~SigPipeBlock();
  SigPipeBlock(const SigPipeBlock&) = delete;
  SigPipeBlock& operator=(const SigPipeBlock&) = delete;

 private:
  SigSet before_;
  bool waited_;
};

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_SIGNAL_H_
