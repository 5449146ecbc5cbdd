// gort/timer/timer_scope.h: timers that stop when their handle goes.
// What      TickerScope is a ticker, AfterFuncScope a function that runs once, later. Unlike those of
//           timer.h they have one owner, and end with it: no tick and no call comes after that.
// Layer     8.                                         Go: defer ticker.Stop()
// Captures  The function of an AfterFuncScope is destroyed when it has run or was stopped, whoever
//           keeps the handle: it may hold what holds the handle.
// Lifetime  Both can be moved; what is left has no timer.
// Contract  | call                        | goroutine | other thread | parks               |
//           | TickerScope, all            |     x     |      x       | -                   |
//           | AfterFuncScope, Stop        |     x     |      x       | -                   |
//           | StopAndWait, ~AfterFuncScope |    x     | blocks it    | while f is running  |
#ifndef GORT_TIMER_TIMER_SCOPE_H_
#define GORT_TIMER_TIMER_SCOPE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "gort/chan/chan.h"
#include "gort/lock/mutex.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"

namespace gort {
namespace rt {

struct G;
struct Sudog;

// A function that is called once at most. Its timer and its handle share it.
class OneCall {
 public:
  OneCall() = default;
  OneCall(const OneCall&) = delete;
  OneCall& operator=(const OneCall&) = delete;
  virtual ~OneCall() = default;

  // The timer's: calls the function unless it was stopped, and destroys it.
  void Run();
  // True: this call stopped it, and destroyed the function.
  bool Stop();
  // Returns when the function does not run any more; at once when the function itself calls.
  void WaitForRun();

 private:
  enum State : uint8_t { kArmed, kRunning, kOver };
  class Running;

  virtual void Call() = 0;
  virtual void Destroy() = 0;

  Mutex lock_{LockRank::kRoot};
  State state_ ABSL_GUARDED_BY(lock_) = kArmed;
  G* runner_ ABSL_GUARDED_BY(lock_) = nullptr;       // while kRunning
  Sudog* waiters_ ABSL_GUARDED_BY(lock_) = nullptr;  // for the end of the run
};

template <class F>
class OneCallOf final : public OneCall {
 public:
  template <class U>
  explicit OneCallOf(U&& f) : f_(std::in_place, std::forward<U>(f)) {}

 private:
  void Call() override { static_cast<void>(std::invoke(std::move(*f_))); }
  void Destroy() override { f_.reset(); }

  std::optional<F> f_;  // empty once it has run or was stopped
};

}  // namespace rt

// A ticker, as NewTicker(d) gives it, that stops at the end of the scope.
class [[nodiscard]] TickerScope {
 public:
  // Throws Panic when d <= 0.
  explicit TickerScope(absl::Duration d) : ticker_(NewTicker(d)) {}
  template <class Rep, class Period>
  explicit TickerScope(std::chrono::duration<Rep, Period> d) : ticker_(NewTicker(d)) {}
  TickerScope(TickerScope&&) noexcept = default;
  // Stops what this had.
  TickerScope& operator=(TickerScope&& o) noexcept {
    if (this != &o) {
      Stop();
      ticker_ = std::move(o.ticker_);
    }
    return *this;
  }
  ~TickerScope() { Stop(); }

  // As those of Ticker; d: also any std::chrono duration.
  RecvChan<absl::Time> C() const { return ticker_.C(); }
  void Stop() const { ticker_.Stop(); }
  template <class Duration>
  void Reset(Duration d) const {
    ticker_.Reset(d);
  }

 private:
  Ticker ticker_;
};

// Runs f() in a goroutine of its own after d, once, unless the scope ends before; does not end while
// f runs.
class [[nodiscard]] AfterFuncScope {
 public:
  // Nothing to run.
  AfterFuncScope() = default;
  // d: also any std::chrono duration. f is copied or moved, and need not be copyable.
  template <class Duration, class F>
  requires std::is_invocable_v<std::decay_t<F>> AfterFuncScope(Duration d, F&& f)
      : call_(std::make_shared<rt::OneCallOf<std::decay_t<F>>>(std::forward<F>(f))),
        timer_(AfterFunc(d, [call = call_] { call->Run(); })) {}
  AfterFuncScope(AfterFuncScope&&) noexcept = default;
  // Ends what this was the scope of.
  AfterFuncScope& operator=(AfterFuncScope&& o) noexcept {
    if (this != &o) {
      StopAndWait();
      call_ = std::move(o.call_);
      timer_ = std::move(o.timer_);
    }
    return *this;
  }
  ~AfterFuncScope() { StopAndWait(); }

  // True: this call stopped it, f will not run and is destroyed. False: f has run, is running, or was
  // stopped before.
  bool Stop() const;
  // The same, and f is not running when this returns; but from within f it returns at once.
  bool StopAndWait() const;

 private:
  std::shared_ptr<rt::OneCall> call_;
  Timer timer_;
};

}  // namespace gort

#endif  // GORT_TIMER_TIMER_SCOPE_H_
