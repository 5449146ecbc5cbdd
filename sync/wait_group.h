// gort/sync/wait_group.h: waiting for a number of goroutines to finish.
// What      gort::WaitGroup, a counter: Add before each goroutine, Done (or Go, which does both)
//           when it ends, Wait until it is 0. May be used again once all Waits have returned.
// Layer     10.                                        Go: sync.WaitGroup
// Lifetime  May be destroyed as soon as all Waits have returned, even if the last Done has not:
//           Done does not touch the object once a Wait can return.
// Errors    What a function of Go throws arrives at Wait: the first of a round, at every Wait that the
//           end of the round wakes, or, where none waits, at the next one. Others are dropped, and all
//           are when nobody waits before the group goes. A Panic is an exception like any other. A
//           Goexit is an end without a failure.
// Contract  | call      | goroutine | other thread | parks | allocates          |
//           | Add, Done |     x     |      x       |   -   |     -              |
//           | Go        |     x     |      x       |   -   | as gort::Go        |
//           | Wait      |     x     | blocks it    |   x   |         -          |
#ifndef GORT_SYNC_WAIT_GROUP_H_
#define GORT_SYNC_WAIT_GROUP_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "gort/base/list.h"
#include "gort/lock/mutex.h"
#include "gort/proc/go.h"
#include "gort/sync/internal/call.h"
#include "gort/sync/internal/copy_check.h"
#include "gort/sync/internal/first_exception.h"

namespace gort {

class Context;

class WaitGroup {
 public:
  constexpr WaitGroup() = default;
  WaitGroup(const WaitGroup&) = delete;
  WaitGroup& operator=(const WaitGroup&) = delete;

  // delta may be negative. Throws Panic("sync: negative WaitGroup counter"), and Panic("sync:
  // WaitGroup misuse: Add called concurrently with Wait") when the counter leaves 0 while waiters
  // of the last round are being woken.
  void Add(int64_t delta);
  void Done() { Add(-1); }
  // Returns when the counter is 0. Throws what a function of Go has thrown.
  void Wait();
  // The same, until ctx is cancelled at most. Ok: the counter is 0, also when ctx was cancelled at the
  // same moment. Otherwise ctx.Err().
  absl::Status Wait(const Context& ctx);

  // Runs f(args...) as a goroutine that the group counts until it has ended, and f and args are
  // destroyed. They are copied or moved as by gort::Go. Inlined: who calls it is who created the
  // goroutine. Go: WaitGroup.Go
  template <class F, class... A>
  requires rt::kCallable<F, A...>
  __attribute__((always_inline)) void Go(const GoOptions& options, F&& f, A&&... args) {
    Add(1);
    gort::Go(options, Task<rt::BoundCallOf<F, A...>>{
                          .counted = Counted(this),
                          .call = rt::Bind(std::forward<F>(f), std::forward<A>(args)...)});
  }
  template <class F, class... A>
  requires rt::kCallable<F, A...>
  __attribute__((always_inline)) void Go(F&& f, A&&... args) {
    Go(GoOptions(), std::forward<F>(f), std::forward<A>(args)...);
  }

 private:
  struct Waiter;

  // One unit of the counter; the destructor gives it back.
  class Counted {
   public:
    explicit Counted(WaitGroup* wg) : wg_(wg) {}
    Counted(Counted&& other) noexcept : wg_(std::exchange(other.wg_, nullptr)) {}
    Counted& operator=(Counted&&) = delete;
    ~Counted() {
      if (wg_ != nullptr) wg_->Done();
    }
    WaitGroup* group() const { return wg_; }

   private:
    WaitGroup* wg_;
  };
  template <class Call>
  struct Task {
    Counted counted;  // destroyed after call
    Call call;
    void operator()() {
      rt::CallCatching([this] { static_cast<void>(call()); },
                       [this](std::exception_ptr e) { counted.group()->Fail(std::move(e)); });
    }
  };

  // Requires: the caller is counted.
  void Fail(std::exception_ptr e);
  // Throws what was thrown in the round that is over, if nobody else has got it.
  void Rethrow();
  void WakeAll();
  // True: *w waits for WakeAll. False: the counter is 0, or w has given up.
  bool Park(Waiter* w);
  // Takes w off the list, now or when it comes, while the counter is not 0.
  rt::G* GiveUp(Waiter* w);

  static constexpr int64_t kWaiters = 1;  // somebody is on the list
  static constexpr int64_t kFailed = 2;   // an exception is kept
  static constexpr int64_t kOne = 4;      // the counter stands above the flags

  std::atomic<int64_t> state_{0};
  rt::Mutex lock_{rt::LockRank::kRoot};
  rt::List<Waiter> waiters_ ABSL_GUARDED_BY(lock_);
  rt::FirstException thrown_ ABSL_GUARDED_BY(lock_);
  [[no_unique_address]] rt::CopyCheck copied_;
};

}  // namespace gort

#endif  // GORT_SYNC_WAIT_GROUP_H_
