// gort/context/cancel_scope.h: a context that is cancelled when its scope ends.
// What      gort::CancelScope. Its context() goes to what the scope starts and calls; whichever way
//           the scope is left, by return, by an exception or by Goexit, the context is cancelled, and
//           its timer freed. Unlike the pair of WithCancel it is one name, which a lambda can
//           capture.
// Layer     9.                                         Go: defer cancel()
// Lifetime  Can be moved; what it was moved from cancels nothing, and its context() is Background().
//           It does not wait for those who have the context: TaskGroup (sync) does.
// Contract  as CancelFunc and WithTimeout, context.h.
#ifndef GORT_CONTEXT_CANCEL_SCOPE_H_
#define GORT_CONTEXT_CANCEL_SCOPE_H_

#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/context/context.h"
#include "gort/timer/sleep.h"

namespace gort {

class [[nodiscard]] CancelScope {
 public:
  explicit CancelScope(const Context& parent = Background())
      : CancelScope(rt::NewCancelNode(parent)) {}
  // Cancelled by itself after `timeout`, or when the time comes; both also of std::chrono.
  CancelScope(const Context& parent, absl::Duration timeout)
      : CancelScope(WithTimeout(parent, timeout).first.handle()) {}
  template <class Rep, class Period>
  CancelScope(const Context& parent, std::chrono::duration<Rep, Period> timeout)
      : CancelScope(parent, rt::SaturatedDuration(timeout)) {}
  CancelScope(const Context& parent, absl::Time deadline)
      : CancelScope(WithDeadline(parent, deadline).first.handle()) {}
  template <class Duration>
  CancelScope(const Context& parent,
              std::chrono::time_point<std::chrono::system_clock, Duration> deadline)
      : CancelScope(WithDeadline(parent, deadline).first.handle()) {}

  CancelScope(CancelScope&&) noexcept = default;
  // Cancels what this was the scope of.
  CancelScope& operator=(CancelScope&& o) noexcept {
    if (this != &o) {
      Cancel();
      h_ = std::move(o.h_);
    }
    return *this;
  }
  ~CancelScope() { Cancel(); }

  Context context() const { return Context(h_); }

  // Cancels before the end. cause: what Cause(context()) says, as with CancelCauseFunc.
  void Cancel(const absl::Status& cause = absl::OkStatus()) const {
    rt::CancelContext(h_.get(), cause);
  }

 private:
  explicit CancelScope(rt::ContextHandle h) : h_(std::move(h)) {}

  rt::ContextHandle h_;
};

}  // namespace gort

#endif  // GORT_CONTEXT_CANCEL_SCOPE_H_
