#include "gort/platforms/pins.h"

extern "C" {
// Used: the asm of arch_<cpu>.h is the one to name it.
__attribute__((used)) constinit thread_local gort::rt::ThreadPins gort_tls_pins;
}

namespace gort::rt {

constinit Hook<void()> regain_p_hook{[] {}};

GORT_NOINLINE ThreadPins* PinsOfThisThread() { return &gort_tls_pins; }

}  // namespace gort::rt
