// gort/sync/semaphore.h: a counted number of units to share out.
// What      gort::Semaphore(n). Acquire(k) takes k units at once, in order of arrival: a caller
//           that waits for many units is not overtaken by callers that want few.
// Layer     10.                                        Go: golang.org/x/sync/semaphore
// Lifetime  May be destroyed when all Acquires have returned and all units are back.
// Contract  | call                | goroutine | other thread | parks | allocates         |
//           | Acquire(k)          |     x     | blocks it    |   x   |     -             |
//           | Acquire(ctx, k)     |     x     | blocks it    |   x   |     -             |
//           | TryAcquire, Release |     x     |      x       |   -   |     -             |
#ifndef GORT_SYNC_SEMAPHORE_H_
#define GORT_SYNC_SEMAPHORE_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "gort/base/list.h"
#include "gort/context/context.h"
#include "gort/lock/mutex.h"

namespace gort {

namespace rt {
struct G;
class GQueue;
}  // namespace rt

class Semaphore {
 public:
  // n >= 0 units, all free.
  explicit constexpr Semaphore(int64_t n) : size_(n), free_(n) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // Takes k >= 0 units, waiting for them if need be. k greater than the semaphore's size: waits for
  // ever, without being in the way of others.
  void Acquire(int64_t k = 1);
  // The same, until ctx is cancelled: then it takes nothing and returns ctx.Err(), also when both
  // were possible.
  absl::Status Acquire(const Context& ctx, int64_t k = 1);
  // Takes them if they are free and nobody waits for others.
  bool TryAcquire(int64_t k = 1);
  // Gives k units back. Throws Panic("semaphore: released more than held").
  void Release(int64_t k = 1);

 private:
  struct Waiter;

  // Gives free units to the first waiters of the line, in order: while the first cannot be served, no
  // other is. *granted gets the goroutines that were served, to be readied.
  void Grant(rt::GQueue* granted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  rt::G* GiveUp(Waiter* w);
  // Takes the units, or parks until *w has them or has given up.
  void TakeOrPark(Waiter* w);
  // Of a waiter that has given up, and may have been in the way of those behind it.
  void ServeOthers();

  const int64_t size_;
  rt::Mutex lock_{rt::LockRank::kRoot};
  int64_t free_ ABSL_GUARDED_BY(lock_);
  rt::List<Waiter> line_ ABSL_GUARDED_BY(lock_);  // in order of arrival
};

}  // namespace gort

#endif  // GORT_SYNC_SEMAPHORE_H_
