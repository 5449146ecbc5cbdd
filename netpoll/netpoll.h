// netpoll/netpoll.h: between the poller and the scheduler.
// What      NetpollInstall gives the scheduler its poller: idle Ms sleep there until the next timer
//           or an event. A PollTarget is what an event is for: it says which goroutines it wakes.
// Layer     9.                                                       Go: netpoll.go
// Contract  NetpollInstall: once, before the second M exists. Targets: see the struct.
#ifndef GORT_NETPOLL_NETPOLL_H_
#define GORT_NETPOLL_NETPOLL_H_

#include <cstdint>

#include "gmp/glist.h"

namespace gort::rt {

// Registered with the poller as a token (TokenOf). It must stay valid after PollerRemove for as
// long as an event fetched before may be on its way: targets are never freed, only used again, and
// tell late events by themselves. Go: the rg/wg part of pollDesc
struct PollTarget {
  // Adds the goroutines that wait for `mode` (kPollRead, kPollWrite, kPollError) to *to_run; their
  // status stays kGWaiting. On g0 or a foreign thread, with or without a P, no locks; must not
  // park.
  void (*ready)(PollTarget* target, uint32_t mode, GList* to_run);
};

inline uint64_t TokenOf(PollTarget* target) { return reinterpret_cast<uintptr_t>(target); }

// Creates the poller and sets the scheduler's hooks netpoll, netpoll_break and netpoll_inited.
// Fatal when the OS refuses (netpoll/poller.h). Again does nothing. Go: netpollGenericInit
void NetpollInstall();

// Hook netpoll (gmp/sched_hooks.h): delay_ns < 0 waits, 0 does not, > 0 waits at most so long.
// Go: netpoll
GList Netpoll(int64_t delay_ns);

}  // namespace gort::rt

#endif  // GORT_NETPOLL_NETPOLL_H_
