// gort/sync/wait_group.h: waiting for a number of goroutines to finish.
// What      gort::WaitGroup, a counter: Add before each goroutine, Done (or Go, which does both)
//           when it ends, Wait until it is 0. May be used again once all Waits have returned.
// Layer     10.                                        Go: sync.WaitGroup
// Lifetime  May be destroyed as soon as all Waits have returned, even if the last Done has not:
//           Done does not touch the object once a Wait can return.
// Contract  | call      | goroutine | other thread | parks | allocates          |
//           | Add, Done |     x     |      x       |   -   |     -              |
//           | Go        |     x     |      x       |   -   | as gort::Go        |
//           | Wait      |     x     | blocks it    |   x   |         -          |
#ifndef GORT_SYNC_WAIT_GROUP_H_
#define GORT_SYNC_WAIT_GROUP_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "gort/lock/mutex.h"
#include "gort/proc/go.h"
#include "gort/sync/internal/copy_check.h"

namespace gort {
namespace rt {
struct Sudog;
}  // namespace rt

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
  // Returns when the counter is 0.
  void Wait();

  // Runs f() as a goroutine that the group counts until it has ended and f is destroyed.
  template <class F>
  requires std::is_invocable_v<std::decay_t<F>>
  void Go(F&& f) {
    Add(1);
    gort::Go(Task<std::decay_t<F>>{Counted(this), std::forward<F>(f)});
  }

 private:
  // One unit of the counter; the destructor gives it back.
  class Counted {
   public:
    explicit Counted(WaitGroup* wg) : wg_(wg) {}
    Counted(Counted&& other) noexcept : wg_(std::exchange(other.wg_, nullptr)) {}
    Counted& operator=(Counted&&) = delete;
    ~Counted() {
      if (wg_ != nullptr) wg_->Done();
    }

   private:
    WaitGroup* wg_;
  };
  template <class F>
  struct Task {
    Counted counted;  // destroyed after f
    F f;
    void operator()() { static_cast<void>(std::invoke(std::move(f))); }
  };

  void WakeAll();

  static constexpr int64_t kWaiters = 1;  // somebody is on the list
  static constexpr int64_t kOne = 2;      // the counter stands above the flag

  std::atomic<int64_t> state_{0};
  rt::Mutex lock_{rt::LockRank::kRoot};
  rt::Sudog* first_ ABSL_GUARDED_BY(lock_) = nullptr;  // waiters, linked by next
  rt::Sudog* last_ ABSL_GUARDED_BY(lock_) = nullptr;
  [[no_unique_address]] rt::CopyCheck copied_;
};

}  // namespace gort

#endif  // GORT_SYNC_WAIT_GROUP_H_
