#include "gort/apps/common/end_signal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "gort/net/net.h"

namespace apps {
namespace {

int end_pipe[2];

extern "C" void OnEndSignal(int) {
  const int saved = errno;
  static_cast<void>(!write(end_pipe[1], "x", 1));
  errno = saved;
}

}  // namespace

bool CatchEndSignals() {
  if (pipe2(end_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  struct sigaction action = {};
  action.sa_handler = &OnEndSignal;
  action.sa_flags = SA_ONSTACK | SA_RESTART;  // goroutines' stacks are small
  sigfillset(&action.sa_mask);
  return sigaction(SIGTERM, &action, nullptr) == 0 && sigaction(SIGINT, &action, nullptr) == 0;
}

bool WaitForEndSignal() { return gort::WaitReadable(end_pipe[0]).ok(); }

}  // namespace apps
