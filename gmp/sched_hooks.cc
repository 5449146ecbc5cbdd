#include "gort/gmp/sched_hooks.h"

namespace gort::rt {

constinit SchedHooks sched_hooks = {
    .netpoll = [](int64_t) { return GList(); },
    .netpoll_break = [] {},
    .check_timers =
        [](P*, int64_t, bool* ran) {
          *ran = false;
          return int64_t{0};
        },
    .adopt_timers = [](P*, P*) {},
    .preempt_m = [](M*) {},
    .netpoll_inited = false,
};

}  // namespace gort::rt
