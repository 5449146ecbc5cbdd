// platforms/futex.h: sleeping on a 32-bit word. See futex(2).
// Layer     2. Any thread, any stack; async-signal-safe; errno is left as it was.
#ifndef GORT_PLATFORMS_FUTEX_H_
#define GORT_PLATFORMS_FUTEX_H_

#include <atomic>
#include <cstdint>

namespace gort::rt {

// Sleeps while *word == expected, for at most timeout_ns nanoseconds (negative: no limit). May
// return early for no reason; the caller looks at the word again.
void FutexSleep(std::atomic<uint32_t>* word, uint32_t expected, int64_t timeout_ns);
// Wakes at most n sleepers.
void FutexWake(std::atomic<uint32_t>* word, int n);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_FUTEX_H_
