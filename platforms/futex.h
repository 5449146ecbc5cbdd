// platforms/futex.h: sleeping on a 32-bit word of this process. See futex(2).
// Layer     2. Any thread, any stack, signal handlers; errno is left as it was. Go: os_linux.go
// Ordering  none is promised: the caller's own accesses to the word carry it. The kernel compares
//           and sleeps in one step, so that a store followed by FutexWake is never missed.
#ifndef GORT_PLATFORMS_FUTEX_H_
#define GORT_PLATFORMS_FUTEX_H_

#include <atomic>
#include <cstdint>

namespace gort::rt {

// Sleeps while *word == expected, for at most timeout_ns nanoseconds of the monotonic clock
// (negative: no limit). May return early for no reason, and after a signal handler ran; the caller
// looks at the word again. Throws "futex wait failed" when the word is no memory. Go: futexsleep.
void FutexSleep(std::atomic<uint32_t>* word, uint32_t expected, int64_t timeout_ns);
// Wakes at most n sleepers. The word itself is not touched: it may lie in memory that its owner
// freed right after the store that let the sleeper go. Go: futexwakeup.
void FutexWake(std::atomic<uint32_t>* word, int n);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_FUTEX_H_
