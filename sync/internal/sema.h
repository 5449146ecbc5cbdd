// sync/internal/sema.h: sleeping and waking by address; what Mutex and RWMutex are built on.
// What      a counter somewhere in the user's object, and a table that finds the waiters of a
//           counter by its address, so that an idle lock costs four bytes and no list.
// Layer     10.                                        Go: sema.go
// Contract  | call       | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | SemAcquire |   x    | -  |  -   |    -    |    x    |   x   |     -     |
//           | SemRelease |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | SemGiveUp  |   x    | x  |  x   |    -    |    x    |   -   |     -     |
#ifndef GORT_SYNC_INTERNAL_SEMA_H_
#define GORT_SYNC_INTERNAL_SEMA_H_

#include <atomic>
#include <cstdint>

#include "gort/gmp/sudog.h"
#include "gort/gmp/wait_reason.h"

namespace gort::rt {

struct G;

// A wait that another may end: in the frame of the call that waits, which may be several times.
struct SemWait {
  Sudog s{};
  bool given_up = false;  // guarded by the lock of the address's root
};

// Waits until *addr > 0 and takes one off it. Waiters are woken in the order of arrival, those with
// lifo before all others; one that comes too late for its unit queues anew. Go: semacquire1
void SemAcquire(std::atomic<uint32_t>* addr, bool lifo, WaitReason reason);
// The same, until SemGiveUp. False: that was called, and nothing was taken.
bool SemAcquireOr(std::atomic<uint32_t>* addr, bool lifo, WaitReason reason, SemWait* wait);
// Ends what *wait waits for at addr now, if it does, and all its later waits. Returns its goroutine,
// to be readied; null: it is awake. What it has been given already, it keeps.
G* SemGiveUp(const std::atomic<uint32_t>* addr, SemWait* wait);
// Takes one off *addr if it is > 0.
bool SemTryAcquire(std::atomic<uint32_t>* addr);
// Adds one to *addr and wakes one waiter. With handoff the waiter has the unit when it is woken,
// unless a newcomer took it in between; without, the waiter and newcomers race for it. Unless handoff
// is set, *addr is not touched again after the
// addition: it may lie in an object that the new owner destroys. Go: semrelease1
void SemRelease(std::atomic<uint32_t>* addr, bool handoff);

}  // namespace gort::rt

#endif  // GORT_SYNC_INTERNAL_SEMA_H_
