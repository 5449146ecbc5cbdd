#include "gort/platforms/pins.h"

#if GORT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace gort::rt {

constinit Hook<void()> regain_p_hook{[] {}};

GORT_NOINLINE ThreadPins* PinsOfThisThread() { return &gort_tls_pins; }

GORT_NOINLINE void TellTsanOfPins() {
#if GORT_TSAN
  __tsan_release(&gort_tls_pins.pins);  // pairs with: ThreadPins::busy
#endif
}

}  // namespace gort::rt
