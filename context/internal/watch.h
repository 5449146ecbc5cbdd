// context/internal/watch.h: ending a wait when its context is cancelled.
// What      a ContextWatch (mostly a WaitWatch) stands in the frame of a call that waits: for a
//           lock, a group, a future. A cancellation calls its function, which takes the call off
//           whatever it waits on. The lock of that list is the judge: whoever takes the call off
//           wakes it, and what it was given before is its own. No goroutine, no channel and no
//           memory for a call.
// Layer     9. For the packages of gort.
// Contract  | call          | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | the two below |   x    | -  |  -   |    -    |    x    |   -   |     -     |
//           No runtime lock may be held that does not rank before `context`.
#ifndef GORT_CONTEXT_INTERNAL_WATCH_H_
#define GORT_CONTEXT_INTERNAL_WATCH_H_

#include "gort/base/list.h"

namespace gort {

class Context;

namespace rt {

struct CancelNode;
struct G;

// Its place on the list of calls that wait is guarded by node->lock.
struct ContextWatch : ListNode<ContextWatch> {
  // Called at most once, with the context's lock held, when the context's Err() is not ok any more.
  // May take locks that rank behind `context`. Returns the goroutine to be readied, or null.
  using Cancelled = G* (*)(ContextWatch* w);

  explicit ContextWatch(Cancelled f) : cancelled(f) {}
  ContextWatch(const ContextWatch&) = delete;
  ContextWatch& operator=(const ContextWatch&) = delete;

  // False: ctx is cancelled, and the function will not be called. The caller keeps ctx until End.
  bool Begin(const Context& ctx);
  // After Begin. When this has returned the function neither runs nor will, and Begin may be called again.
  void End();

  const Cancelled cancelled;
  CancelNode* node = nullptr;  // null: nothing that can be cancelled
};

// Ends a wait at an object by kGiveUp(on, &waiter), a function or a method of the object's. That takes the
// waiter off the object, if it is there, and returns its goroutine, or null.
template <class On, class Waiter, auto kGiveUp>
struct WaitWatch : ContextWatch {
  explicit WaitWatch(On* object) : ContextWatch(&OnCancelled), on(object) {}
  static G* OnCancelled(ContextWatch* w) {
    auto* self = static_cast<WaitWatch*>(w);
    if constexpr (requires { kGiveUp(self->on, &self->waiter); }) {
      return kGiveUp(self->on, &self->waiter);
    } else {
      return (self->on->*kGiveUp)(&self->waiter);
    }
  }
  On* const on;
  Waiter waiter;
};

}  // namespace rt
}  // namespace gort

#endif  // GORT_CONTEXT_INTERNAL_WATCH_H_
