#include "gort/platforms/signal.h"

#include <pthread.h>
#include <time.h>

#include <cerrno>

#include "gort/base/bits.h"
#include "gort/base/throw.h"
#include "gort/platforms/auxv.h"

namespace gort::rt {

void SigBlockAll(SigSet* before) {
  SigSet all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, before);
}

void SigRestore(const SigSet& mask) { pthread_sigmask(SIG_SETMASK, &mask, nullptr); }

SigSet SigCurrentMask() {
  SigSet mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return mask;
}

void SigUnblock(int sig) {
  SigSet one;
  sigemptyset(&one);
  sigaddset(&one, sig);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
}

namespace {

SigSet OnlySigPipe() {
  SigSet one;
  sigemptyset(&one);
  sigaddset(&one, SIGPIPE);
  return one;
}

}  // namespace

SigPipeBlock::SigPipeBlock() {
  SigSet waiting;
  sigpending(&waiting);
  waited_ = sigismember(&waiting, SIGPIPE) != 0;
  const SigSet one = OnlySigPipe();
  if (!waited_) pthread_sigmask(SIG_BLOCK, &one, &before_);
}

void SigPipeBlock::TakeAway() {
  if (waited_) return;
  const int saved = errno;
  const SigSet one = OnlySigPipe();
  const timespec now{};
  while (sigtimedwait(&one, nullptr, &now) < 0 && errno == EINTR) {
  }
  errno = saved;
}

SigPipeBlock::~SigPipeBlock() {
  if (!waited_) SigRestore(before_);
}

size_t SigStackBytes() {
  // Go's signal stack is 32 KiB; ours has that much beyond the kernel's frame, because the fatal
  // report walks and symbolises stacks on it.
  size_t frame = GetAuxval(AuxKey::kMinSigStackSize);
  if (frame < 16384) frame = 16384;  // an emulator gives none
  size_t page = GetAuxval(AuxKey::kPageSize);
  if (page == 0) page = 4096;
  return AlignUp(frame + (48 << 10), page);
}

void SigStackSet(void* lo, size_t bytes) {
  int saved = errno;
  stack_t ss{};
  ss.ss_sp = lo;
  ss.ss_size = bytes;
  ss.ss_flags = lo == nullptr ? SS_DISABLE : 0;
  if (sigaltstack(&ss, nullptr) != 0) Throw("sigaltstack failed");
  errno = saved;
}

void SigStackGet(void** lo, size_t* bytes) {
  int saved = errno;
  stack_t ss{};
  sigaltstack(nullptr, &ss);
  bool none = (ss.ss_flags & SS_DISABLE) != 0;
  *lo = none ? nullptr : ss.ss_sp;
  *bytes = none ? 0 : ss.ss_size;
  errno = saved;
}

bool SigInstall(int sig, SigHandler handler, struct sigaction* before) {
  int saved = errno;
  struct sigaction sa {};
  sa.sa_sigaction = handler;
  sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&sa.sa_mask);
  bool ok = sigaction(sig, &sa, before) == 0;
  errno = saved;
  return ok;
}

bool SigGetAction(int sig, struct sigaction* sa) {
  int saved = errno;
  bool ok = sigaction(sig, nullptr, sa) == 0;
  errno = saved;
  return ok;
}

bool SigSetAction(int sig, const struct sigaction& sa) {
  int saved = errno;
  bool ok = sigaction(sig, &sa, nullptr) == 0;
  errno = saved;
  return ok;
}

void SigSetDefault(int sig) {
  struct sigaction sa {};
  sa.sa_handler = SIG_DFL;
  SigSetAction(sig, sa);
}

}  // namespace gort::rt
