// trace/internal/stall.h: noticing that goroutines which could run do not get to run.
// What      looked at from time to time, by one thread without a P. The program stalls when at so many looks
//           in a row (kLooks) the same thing stood still:
//
//             a P       has goroutines in its queue, of which none left, and has begun no turn
//             all Ps    have begun no turn, while goroutines were in the global queue
//             a stop    of the world is wanted and has not come about, or does not end
//
//           Looks are counted and not time, so that a process that was itself stopped has not stalled.
// Layer     7. Package-internal. One thread; allocates nothing.
#ifndef GORT_TRACE_INTERNAL_STALL_H_
#define GORT_TRACE_INTERNAL_STALL_H_

#include <cstdint>

#include "gort/gmp/sched.h"

namespace gort::rt {

struct P;

class StallWatch {
 public:
  static constexpr int kLooks = 8;

  // A new look. Why the program stalls, as a text that stays; null: it does not.
  const char* Look();
  // Everything is as if it had not been looked at.
  void Reset() { *this = StallWatch(); }

 private:
  struct Ring {
    uint32_t turns = 0, head = 0;
    int stood = 0;  // looks in a row
  };
  bool RingStands(const P* pp, Ring* last);

  Ring rings_[kMaxProcs];
  uint64_t turns_ = 0;
  int global_stood_ = 0;
  uint64_t stops_ = 0;
  int stop_stood_ = 0;
};

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_STALL_H_
