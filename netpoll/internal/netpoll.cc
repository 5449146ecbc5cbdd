#include "gort/netpoll/internal/netpoll.h"

#include "gort/gmp/sched_hooks.h"
#include "gort/netpoll/internal/poll_desc.h"
#include "gort/netpoll/internal/poller.h"

namespace gort::rt {
namespace {

constexpr int kBatch = 128;

}  // namespace

GList Netpoll(int64_t delay_ns) {
  PollEvent events[kBatch];
  const int n = PollerPoll(delay_ns, events, kBatch);
  GList to_run;
  // The list is a stack: the last event first, so that the first one's goroutine is taken first.
  for (int i = n; i-- > 0;) {
    PollReady(events[i].token, events[i].mode, &to_run);
  }
  return to_run;
}

void NetpollInstall() {
  if (sched_hooks.netpoll_inited) return;
  PollerInit();
  sched_hooks.netpoll = Netpoll;
  sched_hooks.netpoll_break = PollerBreak;
  sched_hooks.netpoll_inited = true;
}

}  // namespace gort::rt
