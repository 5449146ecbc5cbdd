// sync/internal/group.h: goroutines that work on one task, and the first failure among them: what
// ErrGroup and TaskGroup are built on.
// Layer     10. As err_group.h.
#ifndef GORT_SYNC_INTERNAL_GROUP_H_
#define GORT_SYNC_INTERNAL_GROUP_H_

#include <atomic>
#include <concepts>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "gort/chan/chan.h"
#include "gort/context/context.h"
#include "gort/lock/mutex.h"
#include "gort/sync/internal/call.h"
#include "gort/sync/wait_group.h"

namespace gort::rt {

// A result that says whether it is a failure: absl::Status and absl::StatusOr.
template <class R>
concept SaysStatus = std::convertible_to<const R&, absl::Status> || requires(const R& r) {
  { r.ok() } -> std::convertible_to<bool>;
  { r.status() } -> std::convertible_to<absl::Status>;
};

class Group {
 public:
  explicit Group(const Context& parent);

  const Context& ctx() const { return ctx_; }
  void Cancel(const absl::Status& cause) const { cancel_(cause); }

  // Counts one more goroutine, after a wait for its place if `wait`. False: the limit is reached.
  bool Begin(bool wait);
  // Takes a goroutine off the count. The group may be gone when the last has done so.
  void End();
  // Keep the first failure, and cancel the context with it.
  void Fail(const absl::Status& err);
  void FailThrown(std::exception_ptr e);
  // Of a result: fails if it says so.
  template <class R>
  void Look(R&& result) {
    if constexpr (std::convertible_to<R, absl::Status>) {
      if (absl::Status err = std::forward<R>(result); !err.ok()) Fail(err);
    } else if constexpr (SaysStatus<std::remove_cvref_t<R>>) {
      if (!result.ok()) Fail(result.status());
    }
  }

  // Returns when no goroutine is counted.
  void Join() { running_.Wait(); }
  absl::Status Join(const Context& ctx) { return running_.Wait(ctx); }
  // The first failure: throws what was thrown, returns what was returned; ok: none.
  absl::Status Failure() const;

  // See ErrGroup::SetLimit.
  void SetLimit(int64_t n);

 private:
  // True: this is the first.
  bool Keep(const absl::Status& err, std::exception_ptr e);

  Context ctx_;
  CancelCauseFunc cancel_;
  WaitGroup running_;
  std::atomic<int64_t> active_{0};
  Chan<Unit> places_;  // an element per goroutine that runs; nil: no limit. Const while one runs.
  mutable Mutex lock_{LockRank::kRoot};
  absl::Status first_ ABSL_GUARDED_BY(lock_);
  std::exception_ptr thrown_ ABSL_GUARDED_BY(lock_);  // not null: first_ tells of it
};

// One goroutine of a group, counted until this is destroyed. P: what points to the group.
template <class P>
class Member {
 public:
  explicit Member(P g) : g_(std::move(g)), counted_(true) {}
  Member(Member&& o) noexcept : g_(std::move(o.g_)), counted_(std::exchange(o.counted_, false)) {}
  Member& operator=(Member&&) = delete;
  ~Member() {
    if (counted_) g_->End();
  }
  Group& group() const { return *g_; }

 private:
  P g_;
  bool counted_;
};

// What a goroutine of a group runs. The result of f is looked at.
template <class P, class Call>
struct MemberTask {
  Member<P> member;  // destroyed after f
  Call f;

  void operator()() {
    Group& g = member.group();
    CallCatching(
        [&] {
          if constexpr (std::is_void_v<decltype(f())>) {
            f();
          } else {
            g.Look(f());
          }
        },
        [&g](std::exception_ptr e) { g.FailThrown(std::move(e)); });
  }
};

// make(): the function, which is not moved on its way here.
template <class P, class Make>
MemberTask<P, std::invoke_result_t<Make>> TaskOf(Member<P> member, Make make) {
  return {.member = std::move(member), .f = make()};
}

}  // namespace gort::rt

#endif  // GORT_SYNC_INTERNAL_GROUP_H_
