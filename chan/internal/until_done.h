// chan/internal/until_done.h: sends and receives that end early when a second channel is closed.
// What      what the calls with a Context are made of. `done` carries nothing; who closes it ends
//           the wait. No goroutine and no allocation is needed, and there is no race at the end: as
//           in a select, exactly one of the two things happens.
// Choice    done comes first when it is closed already. After that the operation is done at once if
//           that is possible; only one that has to wait is a select on both channels.
// Layer     7. Used by chan.h. context stands above, and completes it with Ends<Context>.
#ifndef GORT_CHAN_INTERNAL_UNTIL_DONE_H_
#define GORT_CHAN_INTERNAL_UNTIL_DONE_H_

#include <atomic>

#include "gort/chan/internal/hchan.h"

namespace gort {

class Context;

namespace rt {

// What ends the wait of a send or receive: Ends<C> has, for a C with an Err(), the type Status of
// that, the template StatusOr, and Done(const C&), the channel that is closed when C ends, or null if
// that can never be. A template, so that chan.h need not know what a Context and a Status are.
template <class C>
struct Ends;

// What the two calls ask first. Requires: c is not null.
inline bool ChanClosed(const HChan* c) {
  return c->closed.load(std::memory_order_acquire);  // pairs with: CloseChan
}

// True: *elem was sent, as ChanSend does. False: done is closed, and *elem is the caller's. A null c
// is never ready. Throws Panic("send on closed channel"). Requires: done is not null.
bool ChanSendUntilDone(HChan* c, void* elem, HChan* done);

// As ChanRecv; kWouldBlock: done is closed. Requires: done is not null.
RecvResult ChanRecvUntilDone(HChan* c, void* dst, HChan* done);

}  // namespace rt
}  // namespace gort

#endif  // GORT_CHAN_INTERNAL_UNTIL_DONE_H_
