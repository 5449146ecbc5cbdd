// gort/chan/select.h: waiting on several channels at once.
// What      Select(OnRecv(a, f), OnSend(b, v, g), Default(h)) runs exactly one case and its
//           function and returns its index in the argument list. Selector does it for cases that
//           are only known at run time.
// Layer     7.                                        Go: select.go
// Choice    Uniformly random among the cases that are ready when it looks. Default is taken only if
//           there was an instant when no other case was ready. A nil channel is never ready.
// Elements  See chan.h. The value to send is copied or moved into the case when that is made.
// Functions run on the caller's stack, after the choice, with no lock held. What a function throws,
//           or the move of an element throws, leaves Select; the choice stands.
// Contract  | call              | goroutine | other thread | parks | allocates             |
//           | Select            |     x     | blocks it    |   x   | boxed types           |
//           | Selector          |     x     | blocks it    |   x   | adding a case, boxed  |
//           | with a Default    |     x     |      x       |   -   | as above              |
#ifndef GORT_CHAN_SELECT_H_
#define GORT_CHAN_SELECT_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/chan/internal/element.h"
#include "gort/chan/internal/hchan.h"

namespace gort {
namespace rt {

// The bytes of a Sudog, whose layout users do not see.
inline constexpr size_t kSudogBytes = 96;

// One case of SelectGo. Go: scase
struct SelectCase {
  HChan* c = nullptr;    // null: never ready
  void* elem = nullptr;  // as in ChanSend or ChanRecv
  bool is_send = false;
  // SelectGo's own: where it waits.
  alignas(void*) unsigned char sudog[kSudogBytes];
};

inline constexpr int kSelectDefault = -1;

// Does one of cases[0 .. n) and returns its index; *received is false when that is a receive that
// saw the end of its channel. Not block: kSelectDefault if no case is ready. `order` is scratch
// space for 2 * n indices. Throws Panic("send on closed channel") when that is the case chosen.
// Go: selectgo
int SelectGo(SelectCase* cases, uint32_t* order, int n, bool block, bool* received);

struct Nothing {
  template <class... A>
  void operator()(A&&...) const {}
};

template <class F, class T>
concept RecvHandler = requires(F& f, std::optional<T> v) {
  f(std::move(v));
};
template <class F>
concept Handler = requires(F& f) {
  f();
};

// The three kinds of case. Add() gives the case to SelectGo, Run() is called when it was chosen.
template <class T, class F>
class RecvCase {
 public:
  static constexpr bool kIsDefault = false;

  RecvCase(ChanHandle ch, F f) : ch_(std::move(ch)), f_(std::move(f)) {}
  void Add(SelectCase* sc) {
    sc->c = ch_.hchan();
    sc->elem = in_.raw();
    sc->is_send = false;
  }
  // The result of Take becomes f's parameter without a move. A large element stays on the heap, for
  // an f that takes a reference.
  void Run(bool received) {
    if constexpr (sizeof(T) > kMaxCarried) {
      const std::unique_ptr<std::optional<T>> v(new std::optional<T>(Take(received)));
      static_cast<void>(f_(std::move(*v)));
    } else {
      static_cast<void>(f_(Take(received)));
    }
  }

 private:
  std::optional<T> Take(bool received) {
    std::optional<T> v;
    if (received) {
      in_.SetFull();
      in_.Take(ch_.hchan(), &v);
      in_.Reset();
    }
    Opaque(&v);
    return v;
  }

  ChanHandle ch_;
  Incoming<T> in_;
  [[no_unique_address]] F f_;
};

template <class T, class F>
class SendCase {
 public:
  static constexpr bool kIsDefault = false;

  // An lvalue T is copied as const: a constructor of T that takes anything would take a T& rather
  // than leave it to the copy constructor.
  template <class U>
  SendCase(ChanHandle ch, U&& v, F f)
      : ch_(std::move(ch)), out_(static_cast<Given<U>>(v)), f_(std::move(f)) {}
  // Once sent, the case has nothing left to send and is never ready again.
  void Add(SelectCase* sc) {
    sc->c = sent_ ? nullptr : ch_.hchan();
    sc->elem = out_.raw();
    sc->is_send = true;
  }
  void Run(bool) {
    out_.SetSent();
    sent_ = true;
    static_cast<void>(f_());
  }

 private:
  template <class U>
  using Given =
      std::conditional_t<std::is_same_v<U, T&> && std::is_copy_constructible_v<T>, const T&, U&&>;

  ChanHandle ch_;
  Outgoing<T> out_;
  bool sent_ = false;
  [[no_unique_address]] F f_;
};

template <class F>
class DefaultCase {
 public:
  static constexpr bool kIsDefault = true;

  explicit DefaultCase(F f) : f_(std::move(f)) {}
  void Add(SelectCase*) {}
  void Run(bool) { static_cast<void>(f_()); }

 private:
  [[no_unique_address]] F f_;
};

template <class C>
concept SelectableCase = requires(C c, SelectCase* sc) {
  { std::remove_reference_t<C>::kIsDefault } -> std::convertible_to<bool>;
  c.Add(sc);
  c.Run(true);
};

template <class C>
inline constexpr bool kIsDefaultCase = std::remove_reference_t<C>::kIsDefault;

}  // namespace rt

// f(std::optional<T>) is called with the element, or with nullopt when ch is closed and drained.
template <class T, rt::RecvHandler<T> F = rt::Nothing>
auto OnRecv(Chan<T> ch, F f = {}) {
  return rt::RecvCase<T, F>(std::move(ch), std::move(f));
}
template <class T, rt::RecvHandler<T> F = rt::Nothing>
auto OnRecv(RecvChan<T> ch, F f = {}) {
  return rt::RecvCase<T, F>(std::move(ch), std::move(f));
}

// f() is called when the value was sent.
template <class T, std::convertible_to<T> U = T, rt::Handler F = rt::Nothing>
auto OnSend(Chan<T> ch, U&& value, F f = {}) {
  return rt::SendCase<T, F>(std::move(ch), std::forward<U>(value), std::move(f));
}
template <class T, std::convertible_to<T> U = T, rt::Handler F = rt::Nothing>
auto OnSend(SendChan<T> ch, U&& value, F f = {}) {
  return rt::SendCase<T, F>(std::move(ch), std::forward<U>(value), std::move(f));
}

// f() is called when no other case is ready; with it, Select does not block.
template <rt::Handler F = rt::Nothing>
auto Default(F f = {}) {
  return rt::DefaultCase<F>(std::move(f));
}

// Runs exactly one case and returns its index in the argument list. No cases: blocks for ever.
template <rt::SelectableCase... C>
int Select(C&&... cases) {
  constexpr int kCases = sizeof...(C);
  constexpr int kDefaults = (int{rt::kIsDefaultCase<C>} + ... + 0);
  static_assert(kDefaults <= 1, "a select has at most one default");
  constexpr int n = kCases - kDefaults;
  if constexpr (kCases == 0) {
    rt::ParkForever(rt::WaitReason::kSelectNoCases);
  } else {
    rt::SelectCase scases[size_t{n} + 1];  // the last is a place for the default to write to
    uint32_t order[2 * size_t{n} + 1];
    int k = 0;
    (cases.Add(&scases[rt::kIsDefaultCase<C> ? n : k++]), ...);
    bool received = false;
    const int chosen = rt::SelectGo(scases, order, n, kDefaults == 0, &received);
    int argument = -1;
    k = 0;
    auto run_if_chosen = [&](auto& c) {
      ++argument;
      if (chosen != (rt::kIsDefaultCase<decltype(c)> ? rt::kSelectDefault : k++)) return false;
      c.Run(received);
      return true;
    };
    static_cast<void>((run_if_chosen(cases) || ...));
    return argument;
  }
}

// A select whose cases are added at run time. Run may be called again: cases keep their functions
// and stay, except that a send that was chosen is spent and never ready again. Not thread-safe;
// movable. Go: reflect.Select
class Selector {
 public:
  Selector() = default;
  // What is moved from is as new.
  Selector(Selector&& o) noexcept { swap(o); }
  Selector& operator=(Selector&& o) noexcept {
    Selector(std::move(o)).swap(*this);
    return *this;
  }

  template <class Ch, class F = rt::Nothing>
  Selector& Recv(const Ch& ch, F f = {}) {
    using T = typename Ch::value_type;
    static_assert(std::is_convertible_v<Ch, RecvChan<T>>, "not a channel to receive from");
    return Push(rt::RecvCase<T, F>(RecvChan<T>(ch), std::move(f)));
  }
  template <class Ch, std::convertible_to<typename Ch::value_type> U = typename Ch::value_type,
            class F = rt::Nothing>
  Selector& Send(const Ch& ch, U&& value, F f = {}) {
    using T = typename Ch::value_type;
    static_assert(std::is_convertible_v<Ch, SendChan<T>>, "not a channel to send to");
    return Push(rt::SendCase<T, F>(SendChan<T>(ch), std::forward<U>(value), std::move(f)));
  }
  // Throws Panic("select: multiple default cases").
  template <class F = rt::Nothing>
  Selector& Default(F f = {}) {
    if (default_ >= 0) throw Panic("select: multiple default cases");
    Push(rt::DefaultCase<F>(std::move(f)));
    default_ = static_cast<int>(cases_.size()) - 1;
    return *this;
  }

  // As Select; the index is the number of cases added before the chosen one.
  int Run();

  // Cases added.
  size_t size() const { return cases_.size(); }

 private:
  struct Case {
    virtual ~Case() = default;
    virtual void Add(rt::SelectCase* sc) = 0;
    virtual void Run(bool received) = 0;
  };
  template <class C>
  struct CaseOf final : Case {
    explicit CaseOf(C&& c) : impl(std::move(c)) {}
    void Add(rt::SelectCase* sc) override { impl.Add(sc); }
    void Run(bool received) override { impl.Run(received); }
    C impl;
  };

  void swap(Selector& o) noexcept {
    cases_.swap(o.cases_);
    scases_.swap(o.scases_);
    order_.swap(o.order_);
    std::swap(default_, o.default_);
  }

  template <class C>
  Selector& Push(C&& c) {
    scases_.reserve(cases_.size() + 1);
    order_.reserve(2 * (cases_.size() + 1));
    cases_.push_back(std::make_unique<CaseOf<C>>(std::move(c)));
    return *this;
  }

  std::vector<std::unique_ptr<Case>> cases_;
  std::vector<rt::SelectCase> scases_;  // scratch space of Run
  std::vector<uint32_t> order_;         // scratch space of Run
  int default_ = -1;                    // index of the default; -1: none
};

}  // namespace gort

#endif  // GORT_CHAN_SELECT_H_
