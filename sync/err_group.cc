#include "gort/sync/err_group.h"

#include <atomic>
#include <memory>
#include <string>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/lock/mutex.h"
#include "gort/sync/wait_group.h"

namespace gort {
namespace rt {

struct ErrGroupState {
  Context ctx;
  CancelCauseFunc cancel;
  WaitGroup running;
  std::atomic<int64_t> active{0};
  Chan<Unit> places;  // an element per goroutine that runs; nil: no limit. Const while one runs.
  Mutex lock{LockRank::kRoot};
  absl::Status first ABSL_GUARDED_BY(lock);
};

bool ErrGroupBegin(ErrGroupState* s, bool wait) {
  if (s->places) {
    if (wait) {
      s->places.Send({});
    } else if (!s->places.TrySend(Unit())) {
      return false;
    }
  }
  s->active.fetch_add(1, std::memory_order_relaxed);  // read by SetLimit only, for misuse
  s->running.Add(1);
  return true;
}

void ErrGroupEnd(ErrGroupState* s) {
  if (s->places) s->places.Recv();
  s->active.fetch_sub(1, std::memory_order_release);  // pairs with: SetLimit
  s->running.Done();
}

void ErrGroupFail(ErrGroupState* s, const absl::Status& err) {
  {
    LockGuard l(&s->lock);
    if (!s->first.ok()) return;
    s->first = err;
  }
  s->cancel(err);
}

}  // namespace rt

ErrGroup::ErrGroup(const Context& parent) : s_(std::make_shared<rt::ErrGroupState>()) {
  std::tie(s_->ctx, s_->cancel) = WithCancelCause(parent);
}

const Context& ErrGroup::Ctx() const { return s_->ctx; }

absl::Status ErrGroup::Wait() const {
  s_->running.Wait();
  absl::Status first;
  {
    rt::LockGuard l(&s_->lock);
    first = s_->first;
  }
  s_->cancel(first);
  return first;
}

void ErrGroup::SetLimit(int64_t n) const {
  // pairs with: ErrGroupEnd; a goroutine off the count does not use the places any more.
  if (int64_t active = s_->active.load(std::memory_order_acquire); active != 0) {
    throw Panic("errgroup: modify limit while " + std::to_string(active) +
                " goroutines in the group are still active");
  }
  s_->places = n < 0 ? Chan<Unit>() : MakeChan<Unit>(static_cast<size_t>(n));
}

}  // namespace gort
