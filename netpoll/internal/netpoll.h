// netpoll/internal/netpoll.h: between the poller and the scheduler.
// What      NetpollInstall gives the scheduler its poller: idle Ms sleep there until the next timer
//           or an event. poll_desc.h says whom an event wakes.
// Layer     9.                                                       Go: netpoll.go
// Contract  NetpollInstall: once, before a second M runs.
#ifndef GORT_NETPOLL_INTERNAL_NETPOLL_H_
#define GORT_NETPOLL_INTERNAL_NETPOLL_H_

#include <cstdint>

#include "gort/gmp/glist.h"

namespace gort::rt {

// Creates the poller and sets the scheduler's hooks netpoll, netpoll_break and netpoll_inited.
// Fatal when the OS refuses (netpoll/internal/poller.h). A second call does nothing.
// Go: netpollGenericInit
void NetpollInstall();

// Hook netpoll (gmp/sched_hooks.h): delay_ns < 0 waits, 0 does not, > 0 waits at most so long.
// Go: netpoll
GList Netpoll(int64_t delay_ns);

}  // namespace gort::rt

#endif  // GORT_NETPOLL_INTERNAL_NETPOLL_H_
