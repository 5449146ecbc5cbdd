#include "gort/platforms/pins.h"

namespace gort::rt {

constinit Hook<void()> regain_p_hook{[] {}};

GORT_NOINLINE ThreadPins* PinsOfThisThread() { return &gort_tls_pins; }

}  // namespace gort::rt
