#include "gort/os/internal/incoming.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "gort/base/panic.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/platforms/thread.h"
#include "gort/signals/signals.h"

namespace gort::rt {
namespace {

constinit std::atomic<SignalBits> wanted{0};   // atomic (see the header)
constinit std::atomic<SignalBits> pending{0};  // the same
constinit std::atomic<int32_t> noting{0};      // handlers between their looks at these two
constinit std::atomic<int> event_fd{-1};       // written once, before anything is wanted

// signal_notify_hook. Runs in the handler.
bool NoteSignal(int sig) {
  noting.fetch_add(1);
  const bool mine = (wanted.load() & SignalBit(sig)) != 0;
  if (mine && pending.fetch_or(SignalBit(sig)) == 0) WakeIncoming();
  noting.fetch_sub(1);
  return mine;
}

int MakeEvent() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int error = errno;
  if (fd < 0) throw Panic(std::string("os: no descriptor for signals: ") + strerrordesc_np(error));
  return fd;
}

}  // namespace

PollDesc* OpenIncoming() {
  if (event_fd.load() < 0) {
    event_fd.store(MakeEvent());
    signal_notify_hook.Set(&NoteSignal);
  }
  int error = 0;
  PollDesc* pd = PollOpen(event_fd.load(), &error);
  if (pd == nullptr && error != ENOSYS) {
    throw Panic(std::string("os: cannot wait for signals: ") + strerrordesc_np(error));
  }
  return pd;
}

bool Want(int sig) {
  wanted.fetch_or(SignalBit(sig));
  if (SignalTake(sig)) return true;
  wanted.fetch_and(~SignalBit(sig));
  return false;
}

void Unwant(int sig) {
  SignalGiveBack(sig);
  wanted.fetch_and(~SignalBit(sig));
  while (noting.load() != 0) ThreadYield();
}

SignalBits TakeIncoming(PollDesc* pd) {
  if (pd != nullptr) PollPrepare(pd, kPollRead);
  return pending.exchange(0);
}

void WaitIncoming(PollDesc* pd) { PollWait(pd, kPollRead); }

void WakeIncoming() {
  const uint64_t one = 1;
  const int saved = errno;
  // It fails when the counter is full, after 2^64 - 1 signals.
  while (write(event_fd.load(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  errno = saved;
}

}  // namespace gort::rt
