// gort/context/context.h: cancellation, deadlines and values that go along with a task.
// What      gort::Context, a cheap handle that is passed down from call to call. Contexts form a
//           tree: what is derived from a context is cancelled with it. WithCancel and its kin give
//           a context and the function that cancels it.
// Layer     9.                                        Go: package context
// Cancelled means: Err() is not ok, and Done() is closed. Both hold for a context and everything
//           derived from it by the time that any call of its CancelFunc returns; neither is ever
//           undone. No context has a goroutine of its own. A deadline that passes, an AfterFunc and
//           a StopToken start one when they have something to do.
// Lifetime  A context lives as long as a handle on it, on one derived from it, or on its CancelFunc
//           does, or its timer is armed, or an AfterFunc waits for it. When the last of these goes,
//           the context is taken out of its parent's list: a CancelFunc that is never called costs
//           memory until then. A Done() channel does not keep its context: a goroutine that waits on
//           the channel has to keep a handle, too.
// Contract  | call                       | goroutine | other thread | parks          | allocates |
//           | With…, AfterFunc           |     x     |      x       | -              |     x     |
//           | a CancelFunc, Err, Cause   |     x     |      x       | while another  |     -     |
//           |                            |           |              | call cancels   |           |
//           | Done, Deadline, Value      |     x     |      x       | -              |     -     |
//           A handle is an ordinary object, like a std::shared_ptr; a context may be used by any
//           number of goroutines and threads through handles of their own.
#ifndef GORT_CONTEXT_CONTEXT_H_
#define GORT_CONTEXT_CONTEXT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gort/chan/chan.h"
#include "gort/chan/internal/hchan.h"
#include "gort/chan/internal/until_done.h"
#include "gort/timer/sleep.h"

namespace gort {

class Context;
class CancelFunc;
class CancelCauseFunc;
class StopFunc;

// A key for WithValue that stands for values of type T. Its identity is its address:
//   inline constexpr gort::ContextKey<std::string> kUser("user");
template <class T>
class ContextKey {
 public:
  using value_type = T;

  // name: for people who read a dump; must outlive the key.
  constexpr explicit ContextKey(const char* name = "") : name_(name) {}
  ContextKey(const ContextKey&) = delete;
  ContextKey& operator=(const ContextKey&) = delete;
  constexpr const char* name() const { return name_; }

 private:
  const char* name_;
};

namespace rt {

struct CancelNode;

// One context other than Background. Never changes, but for what CancelNode adds.
struct ContextNode {
  // Takes over one reference on `up` (null: Background). can: the nearest that can be cancelled, on
  // the way up from here; null: none.
  ContextNode(ContextNode* up, CancelNode* can, const void* k = nullptr, const void* v = nullptr)
      : parent(up), canceller(can), key(k), value(v) {}
  ContextNode(const ContextNode&) = delete;
  ContextNode& operator=(const ContextNode&) = delete;
  virtual ~ContextNode() = default;

  ContextNode* const parent;
  CancelNode* const canceller;
  const void* const key;         // null: carries no value
  const void* const value;       // in this node
  std::atomic<int64_t> refs{1};  // of handles, children, and calls that work on it
};

void ContextRef(ContextNode* n);    // null: no effect
void ContextUnref(ContextNode* n);  // the last one destroys it, then its parent's reference goes

// A counted reference to a node, or null.
class ContextHandle {
 public:
  constexpr ContextHandle() = default;
  explicit ContextHandle(ContextNode* adopted) : n_(adopted) {}
  ContextHandle(const ContextHandle& o) : n_(o.n_) { ContextRef(n_); }
  ContextHandle(ContextHandle&& o) noexcept : n_(std::exchange(o.n_, nullptr)) {}
  ContextHandle& operator=(ContextHandle o) noexcept {
    std::swap(n_, o.n_);
    return *this;
  }
  ~ContextHandle() { ContextUnref(n_); }
  ContextNode* get() const { return n_; }
  ContextNode* Release() { return std::exchange(n_, nullptr); }

 private:
  ContextNode* n_ = nullptr;
};

template <class T>
struct ValueNode final : ContextNode {
  template <class U>
  ValueNode(ContextNode* up, CancelNode* can, const ContextKey<T>& k, U&& v)
      : ContextNode(up, can, &k, std::addressof(held)), held(std::forward<U>(v)) {}
  const T held;
};

// The function of an AfterFunc.
struct ContextCallback {
  virtual ~ContextCallback() = default;
  virtual void Run() = 0;
};
template <class F>
struct ContextCallbackOf final : ContextCallback {
  template <class U>
  explicit ContextCallbackOf(U&& u) : f(std::forward<U>(u)) {}
  void Run() override { static_cast<void>(std::invoke(std::move(f))); }
  F f;
};

const void* ContextValue(const ContextNode* n, const void* key);
// The channel of Done(), for as long as somebody keeps n; null: nil.
HChan* ContextDone(const ContextNode* n);
ContextHandle NewCancelNode(const Context& parent);
ContextHandle NewDeadlineNode(const Context& parent, absl::Time deadline, absl::Duration left,
                              const absl::Status& cause);
ContextHandle NewAfterFunc(const Context& parent, std::unique_ptr<ContextCallback> f);
bool StopAfterFunc(ContextNode* n);
// cause: what Cause() will say; ok: the same as Err().
void CancelContext(ContextNode* n, const absl::Status& cause);

}  // namespace rt

class Context {
 public:
  // Background(): never cancelled, no deadline, no values.
  constexpr Context() = default;

  // A channel that is closed when this context is cancelled; nil if that can never be. The same
  // channel each time. Go: Context.Done
  RecvChan<Unit> Done() const;
  // Ok until Done() is closed; then CancelledError("context canceled") or
  // DeadlineExceededError("context deadline exceeded"), for good. Go: Context.Err
  absl::Status Err() const;
  // When it will be cancelled at the latest; nullopt: no such time. Go: Context.Deadline
  std::optional<absl::Time> Deadline() const;
  // What the nearest WithValue for this key, here or further up, put there; null: nothing did.
  // Valid as long as this handle. Go: Context.Value
  template <class T>
  const T* Value(const ContextKey<T>& key) const {
    return static_cast<const T*>(rt::ContextValue(h_.get(), &key));
  }

  // Two handles are equal when they are of the same context.
  friend bool operator==(const Context& a, const Context& b) { return a.h_.get() == b.h_.get(); }

  // The runtime's object; for the packages of gort.
  explicit Context(rt::ContextHandle h) : h_(std::move(h)) {}
  const rt::ContextHandle& handle() const { return h_; }

 private:
  rt::ContextHandle h_;
};

// Cancels one context, and everything derived from it, with Err() "context canceled". Copies do the
// same; the first call counts. A default-constructed one does nothing. Go: CancelFunc
class CancelFunc {
 public:
  constexpr CancelFunc() = default;
  void operator()() const;

  explicit CancelFunc(rt::ContextHandle h) : h_(std::move(h)) {}  // for gort's own use

 private:
  rt::ContextHandle h_;
};

// The same, and says why: Cause(ctx) returns it. An ok status stands for "context canceled".
// Go: CancelCauseFunc
class CancelCauseFunc {
 public:
  constexpr CancelCauseFunc() = default;
  void operator()(const absl::Status& cause) const;

  explicit CancelCauseFunc(rt::ContextHandle h) : h_(std::move(h)) {}  // for gort's own use

 private:
  rt::ContextHandle h_;
};

// Takes an AfterFunc back. True: this call did, the function will not run. False: it has been
// started, or was taken back before.
class StopFunc {
 public:
  constexpr StopFunc() = default;
  bool operator()() const;

  explicit StopFunc(rt::ContextHandle h) : h_(std::move(h)) {}  // for gort's own use

 private:
  rt::ContextHandle h_;
};

// The root: for main, for tests, and where a task begins. Go: Background
inline Context Background() { return Context(); }
// The same, where it is not clear yet which context to pass. Go: TODO
inline Context TODO() { return Context(); }

// A context that is cancelled with its parent or by the function. Go: WithCancel
std::pair<Context, CancelFunc> WithCancel(const Context& parent);
// Go: WithCancelCause
std::pair<Context, CancelCauseFunc> WithCancelCause(const Context& parent);

// A context that is also cancelled, with kDeadlineExceeded, when the time comes; at once if it has
// passed already. The parent's deadline holds if that is earlier. InfiniteFuture: as WithCancel.
// The timer goes by the monotonic clock: setting the clock meanwhile does not move it. cause: what
// Cause says when it was this deadline that cancelled it; ok: the same as Err().
// Go: WithDeadlineCause
std::pair<Context, CancelFunc> WithDeadlineCause(const Context& parent, absl::Time deadline,
                                                 const absl::Status& cause);
template <class Duration>
std::pair<Context, CancelFunc> WithDeadlineCause(
    const Context& parent, std::chrono::time_point<std::chrono::system_clock, Duration> deadline,
    const absl::Status& cause) {
  return WithDeadlineCause(
      parent, absl::UnixEpoch() + rt::SaturatedDuration(deadline.time_since_epoch()), cause);
}
// The same without a cause of its own; deadline: absl::Time or a time_point. Go: WithDeadline
inline std::pair<Context, CancelFunc> WithDeadline(const Context& parent, absl::Time deadline) {
  return WithDeadlineCause(parent, deadline, absl::OkStatus());
}
template <class Duration>
std::pair<Context, CancelFunc> WithDeadline(
    const Context& parent, std::chrono::time_point<std::chrono::system_clock, Duration> deadline) {
  return WithDeadlineCause(parent, deadline, absl::OkStatus());
}

// The same, with the deadline d from now, which is any std::chrono duration; more than 292 years of
// those are InfiniteDuration. Go: WithTimeoutCause
std::pair<Context, CancelFunc> WithTimeoutCause(const Context& parent, absl::Duration d,
                                                const absl::Status& cause);
template <class Rep, class Period>
std::pair<Context, CancelFunc> WithTimeoutCause(const Context& parent,
                                                std::chrono::duration<Rep, Period> d,
                                                const absl::Status& cause) {
  return WithTimeoutCause(parent, rt::SaturatedDuration(d), cause);
}
// Go: WithTimeout
inline std::pair<Context, CancelFunc> WithTimeout(const Context& parent, absl::Duration d) {
  return WithTimeoutCause(parent, d, absl::OkStatus());
}
template <class Rep, class Period>
std::pair<Context, CancelFunc> WithTimeout(const Context& parent,
                                           std::chrono::duration<Rep, Period> d) {
  return WithTimeoutCause(parent, d, absl::OkStatus());
}

// A context that carries a value and is otherwise as its parent. The value is copied or moved in
// and never changes. Go: WithValue
template <class T, class U>
requires std::is_constructible_v<T, U&&> Context WithValue(const Context& parent,
                                                           const ContextKey<T>& key, U&& value) {
  rt::ContextHandle up = parent.handle();
  rt::CancelNode* can = up.get() != nullptr ? up.get()->canceller : nullptr;
  auto* node = new rt::ValueNode<T>(up.get(), can, key, std::forward<U>(value));
  up.Release();  // the node's now
  return Context(rt::ContextHandle(node));
}

// A context with its parent's values, but without its deadline: not cancelled with it.
// Go: WithoutCancel
Context WithoutCancel(const Context& parent);

// Why ctx was cancelled: what the CancelCauseFunc that cancelled it, or the nearest one above it
// that was, had to say; otherwise as Err(). Go: Cause
absl::Status Cause(const Context& ctx);

// Runs f() in a goroutine of its own once ctx is cancelled; at once if it is already. ctx keeps f,
// and f's registration keeps ctx, until one of cancelling and stopping happens. On a context that
// can never be cancelled f never runs. Go: AfterFunc
template <class F>
requires std::is_invocable_v<std::decay_t<F>> StopFunc AfterFunc(const Context& ctx, F&& f) {
  return StopFunc(rt::NewAfterFunc(
      ctx, std::make_unique<rt::ContextCallbackOf<std::decay_t<F>>>(std::forward<F>(f))));
}

namespace rt {

// For the sends and receives with a context (chan/internal/until_done.h).
template <>
struct Ends<Context> {
  using Status = absl::Status;
  template <class T>
  using StatusOr = absl::StatusOr<T>;
  static HChan* Done(const Context& ctx) {
    const ContextNode* n = ctx.handle().get();
    return n != nullptr ? ContextDone(n) : nullptr;
  }
};

}  // namespace rt
}  // namespace gort

#endif  // GORT_CONTEXT_CONTEXT_H_
