#include "gort/lock/note.h"

#include "gort/base/throw.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/futex.h"

namespace gort::rt {

void Note::Wakeup() {
  // pairs with: Sleep, TSleep, IsSet. The sleeper may be gone after this, and the Note with it.
  if (key_.exchange(1, std::memory_order_release) != 0) Throw("notewakeup - double wakeup");
  FutexWake(&key_, 1);
}

void Note::Sleep() {
  while (key_.load(std::memory_order_acquire) == 0) FutexSleep(&key_, 0, -1);  // pairs with: Wakeup
}

bool Note::TSleep(int64_t ns) {
  if (ns < 0) {
    Sleep();
    return true;
  }
  const int64_t now = Nanotime();
  const int64_t deadline = ns < INT64_MAX - now ? now + ns : INT64_MAX;
  while (key_.load(std::memory_order_acquire) == 0) {  // pairs with: Wakeup
    if (ns <= 0) return false;
    FutexSleep(&key_, 0, ns);
    ns = deadline - Nanotime();
  }
  return true;
}

}  // namespace gort::rt
