// netpoll/internal/poller.h: what a port provides to wait for descriptors. One a process.
// What      registers descriptors, edge-triggered in both directions, and waits for readiness, for
//           a time to pass, or for PollerBreak. Which implementation: label_flag //netpoll:backend.
// Layer     9. The calls are for netpoll, the modes for net and os too.  Go: netpoll.go, its header
// Contract  | call         | user G | g0 | no P | gsignal | foreign | parks     | allocates |
//           | PollerInit   |   x    | x  |  x   |    -    |    x    |     -     |     -     |
//           | PollerAdd    |   x    | x  |  x   |    -    |    x    |     -     |     -     |
//           | PollerRemove |   x    | x  |  x   |    -    |    x    |     -     |     -     |
//           | PollerPoll   |   -    | x  |  x   |    -    |    x    | the M     |     -     |
//           | PollerBreak  |   x    | x  |  x   |    x    |    x    |     -     |     -     |
//           PollerBreak may be called with any lock held. errno is left as it was by all.
// Ordering  what happened before PollerBreak happens before the return of the blocked PollerPoll
//           that it interrupts (or, if none is blocked, of the next one).
// Suite     netpoll/testing/poller_conformance.cc, run against every backend.
#ifndef GORT_NETPOLL_INTERNAL_POLLER_H_
#define GORT_NETPOLL_INTERNAL_POLLER_H_

#include <cstdint>

namespace gort::rt {

// Bits of PollEvent::mode. A descriptor with an error or a hang-up is ready for both directions:
// the next system call on it reports what happened.
inline constexpr uint32_t kPollRead = 1;
inline constexpr uint32_t kPollWrite = 2;
inline constexpr uint32_t kPollError = 4;
// Besides: the peer has ended its stream or the connection, there is an error, or urgent data. As
// long as this has not come for a TCP socket, a read of fewer bytes than asked for has taken all
// there was, and more bytes make a new edge.
inline constexpr uint32_t kPollSpecial = 8;

struct PollEvent {
  uint64_t token;  // as given to PollerAdd
  uint32_t mode;
};

// Tokens below this are the poller's own.
inline constexpr uint64_t kPollFirstToken = 16;

// Creates the poller; a second call does nothing. Not thread-safe. Fatal when the OS refuses, with
// a text that names the limit that was reached: "netpoll: cannot create the poller: …".
// Go: netpollinit
void PollerInit();

// Reports fd's edges (from not ready to ready) from now on, beginning with what it is ready for
// already. 0 or an errno value: EPERM (a regular file: it never blocks), EEXIST, ENOSPC, ENOMEM.
// token >= kPollFirstToken. Go: netpollopen
int PollerAdd(int fd, uint64_t token);
// No event of fd is fetched any more, but one already fetched by a PollerPoll that is returning may
// still be delivered. Before fd is closed. 0 or an errno value. Go: netpollclose
int PollerRemove(int fd);

// Fetches at most n events; returns how many, 0 also when time has passed or PollerBreak was
// called. delay_ns < 0: waits without limit; 0: does not wait; > 0: waits at most so long, to the
// precision of the kernel's timers (microseconds, never rounded up to milliseconds). May return
// early for no reason when delay_ns > 0. At most one call may wait at a time; others (delay 0) may
// run beside it and do not take a break away from it. Go: netpoll
int PollerPoll(int64_t delay_ns, PollEvent* events, int n);

// Makes the waiting PollerPoll return, or the next one that would wait. Calls between two returns
// count once. Go: netpollBreak
void PollerBreak();

}  // namespace gort::rt

#endif  // GORT_NETPOLL_INTERNAL_POLLER_H_
