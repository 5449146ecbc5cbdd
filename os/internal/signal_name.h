// os/internal/signal_name.h: what a signal is called.
// Layer     12, used by os only.
#ifndef GORT_OS_INTERNAL_SIGNAL_NAME_H_
#define GORT_OS_INTERNAL_SIGNAL_NAME_H_

#include <signal.h>

#include <cstring>
#include <string>

namespace gort::rt {

// "SIGTERM"; "signal 40" for one without a name.
inline std::string SignalName(int sig) {
  const char* name = sig > 0 && sig < SIGRTMIN ? sigabbrev_np(sig) : nullptr;
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(sig);
}

}  // namespace gort::rt

#endif  // GORT_OS_INTERNAL_SIGNAL_NAME_H_
