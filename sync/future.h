// gort/sync/future.h: a goroutine that has a result.
// What      Spawn(f, args...) runs f as a goroutine, as gort::Go does, and returns a gort::Future of
//           what f returns: Get waits for the value, or throws what f has thrown.
// Layer     10.                                        Go: none; a goroutine and a channel
// Lifetime  A Future is one handle, for one goroutine at a time; it can be moved, also to another.
//           Dropping it detaches: f goes on, and its result goes with it, an exception too. What f
//           captured and its arguments are destroyed before the Future is ready, its Locals after. References that a
//           Future gives out are f's: what they refer to must live on its own.
// Ends      f ends by Goexit: there is no result, and Get throws Panic("future: the goroutine ended
//           by Goexit"). Misuse of an empty Future, one that was moved from, default-constructed or
//           whose Get was called: Get and Wait throw Panic("future: no result to wait for"); Ready is
//           false; as a case of Select it is never ready.
// Contract  | call          | goroutine | other thread | parks | allocates       |
//           | Spawn         |     x     |      x       |   -   | a block, and Go |
//           | Get, Wait     |     x     | blocks it    |   x   | -               |
//           | Ready         |     x     |      x       |   -   | -               |
//           | Done, OnReady |     x     |      x       |   -   | the first       |
#ifndef GORT_SYNC_FUTURE_H_
#define GORT_SYNC_FUTURE_H_

#include <atomic>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/context/context.h"
#include "gort/proc/go.h"
#include "gort/sync/internal/call.h"

namespace gort {

template <class R>
class Future;

namespace rt {

struct G;
class Waking;

// What a Future and its goroutine share, but for the value. Two references at first.
class FutureState {
 public:
  FutureState() = default;
  FutureState(const FutureState&) = delete;
  FutureState& operator=(const FutureState&) = delete;
  virtual ~FutureState() = default;

  void Unref() {
    // acq_rel: what either did with the result happens before its end. 1: nobody else is there.
    if (refs_.load(std::memory_order_acquire) == 1 ||
        refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete this;
    }
  }

  // The goroutine's: the result is there, or will never be. Once.
  void Publish();
  void SetThrown(std::exception_ptr e) { thrown_ = std::move(e); }

  // The Future's.
  bool Ready() const {
    return word_.load(std::memory_order_acquire) == kReady;  // pairs with: Publish
  }
  void Wait();
  absl::Status Wait(const Context& ctx);
  // Closed when it is ready; the same channel each time.
  RecvChan<Unit> Done();
  // Requires: ready. Throws what the function threw.
  void Rethrow() const {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
  }

 private:
  // word_: one of these, or a Waking, of the call that waits. Only the Future's side stores others
  // than kReady, so that of kWatched and a Waking there is one at a time.
  static constexpr uintptr_t kRunning = 0;
  static constexpr uintptr_t kReady = 1;
  static constexpr uintptr_t kWatched = 2;  // done_ is there, to be closed

  // Leaves the call where the goroutine or a cancellation finds it. False: the result is there.
  bool Put(Waking* w);
  // True: it was there still, and nobody wakes it.
  bool TakeOut(Waking* w);
  // Takes it out; the goroutine to be readied, or null.
  G* GiveUp(Waking* w);

  std::atomic<uintptr_t> word_{kRunning};
  std::atomic<int32_t> refs_{2};
  std::exception_ptr thrown_;  // written before Publish
  Chan<Unit> done_;            // written before word_ is kWatched, or by the Future's side if ready
};

[[noreturn]] void PanicNoFuture();
[[noreturn]] void PanicFutureGoexit();

// Where the value stands: the value itself, or the address of what a reference refers to.
template <class R>
class FutureValue final : public FutureState {
 public:
  using Stored =
      std::conditional_t<std::is_reference_v<R>, std::remove_reference_t<R>*, std::remove_cv_t<R>>;

  FutureValue() : nothing_() {}
  ~FutureValue() override {
    if (there_) std::destroy_at(std::addressof(value_));
  }

  // Keeps what call() returns, without moving it.
  template <class Call>
  void SetFrom(Call&& call) {
    if constexpr (std::is_reference_v<R>) {
      R result = std::forward<Call>(call)();
      ::new (room()) Stored(std::addressof(result));
    } else {
      ::new (room()) Stored(std::forward<Call>(call)());
    }
    there_ = true;
  }
  // Null: there is none.
  Stored* value() { return there_ ? std::addressof(value_) : nullptr; }
  R Take() {
    if (!there_) PanicFutureGoexit();
    if constexpr (std::is_reference_v<R>) {
      return static_cast<R>(*value_);
    } else {
      return std::move(value_);
    }
  }

 private:
  void* room() { return std::addressof(value_); }

  union {
    char nothing_;
    Stored value_;
  };
  bool there_ = false;
};

template <class R>
requires std::is_void_v<R>
class FutureValue<R> final : public FutureState {
 public:
  template <class Call>
  void SetFrom(Call&& call) {
    std::forward<Call>(call)();
    there_ = true;
  }
  void Take() {
    if (!there_) PanicFutureGoexit();
  }

 private:
  bool there_ = false;
};

struct FutureUnref {
  void operator()(FutureState* s) const { s->Unref(); }
};
template <class R>
using FutureRef = std::unique_ptr<FutureValue<R>, FutureUnref>;

// The goroutine's side. Destroying it makes the Future ready.
template <class R>
class Promise {
 public:
  explicit Promise(FutureValue<R>* s) : s_(s) {}
  Promise(Promise&& o) noexcept : s_(std::exchange(o.s_, nullptr)) {}
  Promise& operator=(Promise&&) = delete;
  ~Promise() {
    if (s_ == nullptr) return;
    s_->Publish();
    s_->Unref();
  }
  FutureValue<R>* state() const { return s_; }

 private:
  FutureValue<R>* s_;
};

// What the goroutine of a Spawn runs.
template <class R, class Call>
struct FutureTask {
  Promise<R> promise;  // destroyed after call
  Call call;

  void operator()() {
    FutureValue<R>* s = promise.state();
    CallCatching([&] { s->SetFrom([&]() -> R { return call(); }); },
                 [s](std::exception_ptr e) { s->SetThrown(std::move(e)); });
  }
};

}  // namespace rt

// The result of a goroutine, once. R may be void, a reference, or a type that can only be moved.
template <class R>
class Future {
 public:
  // Empty.
  Future() = default;
  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;  // detaches what it had

  // Waits until the goroutine has ended, and returns the value, which is moved out, or throws what
  // the function threw. Once: this is empty afterwards, also when the value's move throws.
  R Get() {
    Need();
    s_->Wait();
    const rt::FutureRef<R> s = std::move(s_);
    s->Rethrow();
    return s->Take();
  }

  // Get will not wait.
  bool Ready() const { return s_ != nullptr && s_->Ready(); }
  // Waits until it is ready. Neither takes the value nor throws what the function threw.
  void Wait() const {
    Need();
    s_->Wait();
  }
  // The same, or until ctx is cancelled: then ctx.Err(). Ok, when both are so.
  absl::Status Wait(const Context& ctx) const {
    Need();
    return s_->Wait(ctx);
  }

  // A channel that is closed when this is ready, for a Selector or a select of another's; nil when
  // this is empty.
  RecvChan<Unit> Done() const { return s_ != nullptr ? s_->Done() : RecvChan<Unit>(); }

  // False: empty.
  explicit operator bool() const { return s_ != nullptr; }

  explicit Future(rt::FutureRef<R> s) : s_(std::move(s)) {}  // for gort's own use

 private:
  void Need() const {
    if (s_ == nullptr) rt::PanicNoFuture();
  }

  rt::FutureRef<R> s_;
};

// Runs f(args...) as a goroutine; f and args are copied or moved as by gort::Go. When that
// throws, or there is no memory for the result, Spawn throws the same and starts nothing.
// Go: go statement
template <class F, class... A>
requires rt::kCallable<F, A...>
[[nodiscard]] __attribute__((always_inline)) inline auto Spawn(const GoOptions& options, F&& f,
                                                               A&&... args)
    -> Future<rt::CallResult<F, A...>> {
  using R = rt::CallResult<F, A...>;
  auto* s = new rt::FutureValue<R>;
  rt::FutureRef<R> mine(s);
  rt::Promise<R> promise(s);
  gort::Go(options, rt::FutureTask<R, rt::BoundCallOf<F, A...>>{
                        .promise = std::move(promise),
                        .call = rt::Bind(std::forward<F>(f), std::forward<A>(args)...)});
  return Future<R>(std::move(mine));
}
template <class F, class... A>
requires rt::kCallable<F, A...>
[[nodiscard]] __attribute__((always_inline)) inline auto Spawn(F&& f, A&&... args)
    -> Future<rt::CallResult<F, A...>> {
  return gort::Spawn(GoOptions(), std::forward<F>(f), std::forward<A>(args)...);
}

namespace rt {

template <class F, class R>
concept TakesNoResult = std::is_invocable_v<F&>;
template <class F, class R>
concept TakesResult = !std::is_void_v<R> && !TakesNoResult<F, R> && std::is_invocable_v<F&, R>;

// The handler of OnReady, as one of a receive that sees the end of Done().
template <class R, class F>
struct ReadyHandler {
  Future<R>* future;
  [[no_unique_address]] F f;

  void operator()(std::optional<Unit>) {
    if constexpr (TakesNoResult<F, R>) {
      static_cast<void>(f());
    } else {
      static_cast<void>(f(future->Get()));
    }
  }
};

}  // namespace rt

// A case of Select that is ready when the future is. f() is called, which may call Get; or f(value)
// with what Get returns, and what Get throws leaves the Select. The future must stay until then.
template <class R, class F = rt::Nothing>
requires rt::TakesNoResult<F, R> || rt::TakesResult<F, R>
auto OnReady(Future<R>& future, F f = {}) {
  return OnRecv(future.Done(), rt::ReadyHandler<R, F>{&future, std::move(f)});
}

}  // namespace gort

#endif  // GORT_SYNC_FUTURE_H_
