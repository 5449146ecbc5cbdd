#include "gort/sync/internal/group.h"

#include <string>
#include <tuple>

#include "gort/base/panic.h"

namespace gort::rt {
namespace {

// What Cause says of an exception.
absl::Status StatusOf(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& known) {
    return absl::UnknownError(known.what());
  } catch (...) {
    return absl::UnknownError("an exception that is no std::exception");
  }
}

}  // namespace

Group::Group(const Context& parent) { std::tie(ctx_, cancel_) = WithCancelCause(parent); }

bool Group::Begin(bool wait) {
  if (places_) {
    if (wait) {
      places_.Send({});
    } else if (!places_.TrySend(Unit())) {
      return false;
    }
  }
  active_.fetch_add(1, std::memory_order_relaxed);  // read by SetLimit only, for misuse
  running_.Add(1);
  return true;
}

void Group::End() {
  if (places_) places_.Recv();
  active_.fetch_sub(1, std::memory_order_release);  // pairs with: SetLimit
  running_.Done();
}

bool Group::Keep(const absl::Status& err, std::exception_ptr e) {
  LockGuard l(&lock_);
  if (!first_.ok()) return false;
  first_ = err;
  thrown_.swap(e);
  return true;
}

void Group::Fail(const absl::Status& err) {
  if (Keep(err, nullptr)) cancel_(err);
}

void Group::FailThrown(std::exception_ptr e) {
  const absl::Status told = StatusOf(e);
  if (Keep(told, std::move(e))) cancel_(told);
}

absl::Status Group::Failure() const {
  absl::Status first;
  std::exception_ptr thrown;
  {
    LockGuard l(&lock_);
    first = first_;
    thrown = thrown_;
  }
  if (thrown != nullptr) std::rethrow_exception(std::move(thrown));
  return first;
}

void Group::SetLimit(int64_t n) {
  // pairs with: End; a goroutine off the count does not use the places any more.
  if (int64_t active = active_.load(std::memory_order_acquire); active != 0) {
    throw Panic("errgroup: modify limit while " + std::to_string(active) +
                " goroutines in the group are still active");
  }
  places_ = n < 0 ? Chan<Unit>() : MakeChan<Unit>(static_cast<size_t>(n));
}

}  // namespace gort::rt
