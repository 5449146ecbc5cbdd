// gmp/sudog.h: a G in the wait list of something.
// What      stands for one G in one wait list. A G in a select is in many lists at once.
// Layer     4. In the frame of the call that waits: stacks do not move, and who takes a
//           sudog off its list is done with it when it readies the G.                    Go: sudog
#ifndef GORT_GMP_SUDOG_H_
#define GORT_GMP_SUDOG_H_

#include <cstdint>

namespace gort::rt {

struct G;

struct Sudog {
  G* g;                 // guarded by the lock of what it waits on
  Sudog* next;          // guarded by the lock of what it waits on
  Sudog* prev;          // guarded by the lock of what it waits on
  void* elem;           // channel: data, or room for it; semaphore: the address; by its lock
  void* c;              // the channel; owner G only
  Sudog* waitlink;      // next case of a select, or next waiter of one address
  Sudog* waittail;      // semaphore root: last waiter of one address; guarded by the root's lock
  Sudog* parent;        // semaphore root: tree; guarded by the root's lock
  int64_t acquiretime;  // semaphore: since when it waits for a lock; 0: not timed; by its lock
  uint32_t ticket;      // semaphore: treap priority, hand-off flag; Cond: whose turn; by its lock
  uint32_t case_index;  // select: which case; owner G only
  bool is_select;  // takes part in a select: g.select_done must be won first; const while queued
  bool success;    // woken by a value (true) or by close (false); guarded by the channel's lock
};

}  // namespace gort::rt

#endif  // GORT_GMP_SUDOG_H_
