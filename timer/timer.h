// timer/timer.h: timers and tickers.
// What      NewTimer and After deliver the time on a channel once, NewTicker again and again,
//           AfterFunc runs a function in a goroutine of its own. Sleep comes from sleep.h.
// Layer     8.                                                       Go: package time, sleep.go
// Handles   Timer and Ticker are shared handles: copies mean the same timer. A timer goes on when
//           its last handle is dropped; a ticker that nobody can stop any more goes on for ever.
// Channel   holds at most one time, that at which the timer was due; a ticker drops ticks that
//           nobody takes. After Stop or Reset has returned, no time from before it is received (Go
//           1.23).
// Durations absl::Duration or any std::chrono duration; negative and zero mean at once, infinite
//           and whatever the clock cannot say mean never. The clock is monotonic.
// Start     before the first gort::Run timers can be made, stopped and reset; they go off after it.
// Contract  | call                | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | New…, After…        |   x    | -  |  -   |    -    |    x    |   -   |     x     |
//           | Stop, Reset, C      |   x    | -  |  -   |    -    |    x    |   -   |     -     |
//           Any number of goroutines and threads may use one timer at once.
#ifndef GORT_TIMER_TIMER_H_
#define GORT_TIMER_TIMER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>

#include "absl/time/time.h"
#include "gort/chan/chan.h"
#include "gort/timer/sleep.h"

namespace gort {

namespace rt {

struct UserTimer;

// The function of an AfterFunc. All are called on goroutines or user threads.
struct TimerCallback {
  virtual ~TimerCallback() = default;
  virtual void Run() = 0;
  // Instead of Run when the timer ends with its bubble: a callback that keeps a handle on its own
  // timer alive lets go of it.
  virtual void Drop() {}
};

template <class F>
struct TimerCallbackOf final : TimerCallback {
  template <class U>
  explicit TimerCallbackOf(U&& u) : f(std::forward<U>(u)) {}
  void Run() override { static_cast<void>(std::invoke(f)); }
  F f;
};

// A counted reference to a timer, or null.
class TimerRef {
 public:
  constexpr TimerRef() = default;
  explicit TimerRef(UserTimer* adopted) : t_(adopted) {}
  TimerRef(const TimerRef& o);
  TimerRef(TimerRef&& o) noexcept : t_(std::exchange(o.t_, nullptr)) {}
  TimerRef& operator=(TimerRef o) noexcept {
    std::swap(t_, o.t_);
    return *this;
  }
  ~TimerRef();
  UserTimer* get() const { return t_; }

 private:
  UserTimer* t_ = nullptr;
};

// period_ns > 0: a ticker.
TimerRef NewChanTimer(int64_t d_ns, int64_t period_ns);

// The one block of memory that an AfterFunc takes: its timer, and room for its callback. Freed with
// the timer, or here if Start was not called.
class FuncTimerRoom {
 public:
  FuncTimerRoom(size_t bytes, size_t align);
  ~FuncTimerRoom();
  FuncTimerRoom(const FuncTimerRoom&) = delete;
  FuncTimerRoom& operator=(const FuncTimerRoom&) = delete;

  void* callback() const { return static_cast<char*>(block_) + offset_; }
  // Requires: f was constructed at callback(). The timer destroys it. Once.
  TimerRef Start(int64_t d_ns, TimerCallback* f);

 private:
  const size_t align_;
  const size_t offset_;
  void* block_;
};

// A timer that calls a TimerCallback of type C, constructed from args.
template <class C, class... A>
TimerRef NewFuncTimer(int64_t d_ns, A&&... args) {
  FuncTimerRoom room(sizeof(C), alignof(C));
  C* f = ::new (room.callback()) C(std::forward<A>(args)...);
  return room.Start(d_ns, f);
}

bool StopTimer(UserTimer* t);
bool ResetTimer(UserTimer* t, int64_t d_ns, int64_t period_ns);
RecvChan<absl::Time> ChanOf(const UserTimer* t);
// d in nanoseconds, at least 1; throws Panic(text) when d <= 0.
int64_t TickerPeriod(int64_t d_ns, bool positive, const char* text);
[[noreturn]] void PanicUninitialised(const char* text);

}  // namespace rt

class Timer {
 public:
  // No timer: Stop and Reset throw Panic, C is the nil channel.
  constexpr Timer() = default;

  // Where the time arrives. Of an AfterFunc: the nil channel. Go: Timer.C
  RecvChan<absl::Time> C() const { return rt::ChanOf(ref_.get()); }

  // Ends the waiting. True: this call stopped it, nothing will be or was received, the function
  // will not run. False: it had been stopped or had run out before; an AfterFunc's function may be
  // running. Go: (*Timer).Stop
  bool Stop() const { return rt::StopTimer(ref_.get()); }

  // Starts again with duration d. True: it was waiting, and that run will not happen. Go: Reset
  bool Reset(absl::Duration d) const { return ResetNs(rt::SaturatedNanoseconds(d)); }
  template <class Rep, class Period>
  bool Reset(std::chrono::duration<Rep, Period> d) const {
    return ResetNs(rt::SaturatedNanoseconds(d));
  }

 private:
  explicit Timer(rt::TimerRef ref) : ref_(std::move(ref)) {}
  bool ResetNs(int64_t d_ns) const { return rt::ResetTimer(ref_.get(), d_ns, 0); }
  friend Timer NewTimer(absl::Duration d);
  template <class Rep, class Period>
  friend Timer NewTimer(std::chrono::duration<Rep, Period> d);
  template <class F>
  friend Timer AfterFunc(absl::Duration d, F&& f);
  template <class Rep, class Period, class F>
  friend Timer AfterFunc(std::chrono::duration<Rep, Period> d, F&& f);

  rt::TimerRef ref_;
};

// A timer that sends the time on its channel after d. Go: NewTimer
inline Timer NewTimer(absl::Duration d) {
  return Timer(rt::NewChanTimer(rt::SaturatedNanoseconds(d), 0));
}
template <class Rep, class Period>
Timer NewTimer(std::chrono::duration<Rep, Period> d) {
  return Timer(rt::NewChanTimer(rt::SaturatedNanoseconds(d), 0));
}

// Runs f() in a goroutine of its own after d; again after each Reset, also while an earlier run
// goes on. f is copied or moved, need not be copyable, and is destroyed when neither a handle nor a
// run needs it. Go: AfterFunc
template <class F>
Timer AfterFunc(absl::Duration d, F&& f) {
  using Callback = rt::TimerCallbackOf<std::decay_t<F>>;
  return Timer(rt::NewFuncTimer<Callback>(rt::SaturatedNanoseconds(d), std::forward<F>(f)));
}
template <class Rep, class Period, class F>
Timer AfterFunc(std::chrono::duration<Rep, Period> d, F&& f) {
  using Callback = rt::TimerCallbackOf<std::decay_t<F>>;
  return Timer(rt::NewFuncTimer<Callback>(rt::SaturatedNanoseconds(d), std::forward<F>(f)));
}

// The channel of a NewTimer(d) that nobody will stop. It holds memory until it is due: where many
// are given up early, use NewTimer and Stop. Go: After
inline RecvChan<absl::Time> After(absl::Duration d) { return NewTimer(d).C(); }
template <class Rep, class Period>
RecvChan<absl::Time> After(std::chrono::duration<Rep, Period> d) {
  return NewTimer(d).C();
}

class Ticker {
 public:
  // No ticker: C is the nil channel, Stop does nothing, Reset throws Panic.
  constexpr Ticker() = default;

  RecvChan<absl::Time> C() const { return rt::ChanOf(ref_.get()); }

  // No more ticks. The channel stays open. Go: (*Ticker).Stop
  void Stop() const {
    if (ref_.get() != nullptr) rt::StopTimer(ref_.get());
  }

  // The next tick comes in d, and then every d. Throws Panic when d <= 0. Go: (*Ticker).Reset
  void Reset(absl::Duration d) const {
    ResetNs(rt::SaturatedNanoseconds(d), d > absl::ZeroDuration());
  }
  template <class Rep, class Period>
  void Reset(std::chrono::duration<Rep, Period> d) const {
    ResetNs(rt::SaturatedNanoseconds(d), d > d.zero());
  }

 private:
  explicit Ticker(rt::TimerRef ref) : ref_(std::move(ref)) {}
  void ResetNs(int64_t d_ns, bool positive) const {
    d_ns = rt::TickerPeriod(d_ns, positive, "non-positive interval for Ticker.Reset");
    if (ref_.get() == nullptr) {
      rt::PanicUninitialised("time: Reset called on uninitialized Ticker");
    }
    rt::ResetTimer(ref_.get(), d_ns, d_ns);
  }
  static Ticker New(int64_t d_ns, bool positive) {
    d_ns = rt::TickerPeriod(d_ns, positive, "non-positive interval for NewTicker");
    return Ticker(rt::NewChanTimer(d_ns, d_ns));
  }
  friend Ticker NewTicker(absl::Duration d);
  template <class Rep, class Period>
  friend Ticker NewTicker(std::chrono::duration<Rep, Period> d);

  rt::TimerRef ref_;
};

// A ticker with a tick every d, the first in d. Throws Panic when d <= 0. Go: NewTicker
inline Ticker NewTicker(absl::Duration d) {
  return Ticker::New(rt::SaturatedNanoseconds(d), d > absl::ZeroDuration());
}
template <class Rep, class Period>
Ticker NewTicker(std::chrono::duration<Rep, Period> d) {
  return Ticker::New(rt::SaturatedNanoseconds(d), d > d.zero());
}

}  // namespace gort

#endif  // GORT_TIMER_TIMER_H_
