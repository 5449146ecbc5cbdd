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

#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "gort/chan/chan.h"
#include "gort/chan/internal/cases.h"
#include "gort/chan/internal/hchan.h"
#include "gort/chan/internal/select_go.h"
#include "gort/chan/selector.h"  // IWYU pragma: export

namespace gort {
// f takes what was received, in the first of these ways that it can:
//   f(std::optional<T>)  by value, as an rvalue, or const: the element, or nullopt when ch is closed
//                        and drained;
//   f(T)                 likewise; not called when ch is closed and drained, of which the index of
//                        Select tells, and which a loop has to end at;
//   f()                  the element is dropped, and the end of ch is not told from one.
// One that takes anything, an auto or a std::any, gets the std::optional<T>.
template <class T, class F = rt::Nothing>
requires rt::RecvHandler<F, T>
auto OnRecv(Chan<T> ch, F f = {}) { return rt::RecvCase<T, F>(std::move(ch), std::move(f)); }
template <class T, class F = rt::Nothing>
requires rt::RecvHandler<F, T>
auto OnRecv(RecvChan<T> ch, F f = {}) { return rt::RecvCase<T, F>(std::move(ch), std::move(f)); }
// *out gets the element, or nullopt when ch is closed and drained, when the case is chosen; it is left
// alone otherwise. Null: the element is dropped.
template <class T>
auto OnRecv(Chan<T> ch, std::type_identity_t<std::optional<T>>* out) {
  return rt::RecvCase<T, rt::Into<T>>(std::move(ch), rt::Into<T>{out});
}
template <class T>
auto OnRecv(RecvChan<T> ch, std::type_identity_t<std::optional<T>>* out) {
  return rt::RecvCase<T, rt::Into<T>>(std::move(ch), rt::Into<T>{out});
}

// f() is called when the value was sent. A T* in the place of the value is a variable of the
// program's: it is moved from when the case is chosen, and has its value otherwise, before any
// function of another case runs and when Select throws. While Select waits it is not to be touched.
// A T that can only be moved must do that without throwing for this. Of a T that a T* converts to,
// as of void* and std::any, the pointer is the value that is sent; of bool it is a variable.
template <class T, class U = T, rt::Handler F = rt::Nothing>
requires rt::Sendable<U, T> || rt::Lending<U, T>
auto OnSend(Chan<T> ch, U&& value, F f = {}) {
  return rt::MakeSendCase<T>(std::move(ch), std::forward<U>(value), std::move(f));
}
template <class T, class U = T, rt::Handler F = rt::Nothing>
requires rt::Sendable<U, T> || rt::Lending<U, T>
auto OnSend(SendChan<T> ch, U&& value, F f = {}) {
  return rt::MakeSendCase<T>(std::move(ch), std::forward<U>(value), std::move(f));
}

// f() is called when no other case is ready; with it, Select does not block.
template <rt::Handler F = rt::Nothing>
auto Default(F f = {}) {
  return rt::DefaultCase<F>(std::move(f));
}

namespace rt {

// Everything that was lent and not sent goes back when this ends.
template <class... C>
struct GiveBackAll {
  std::tuple<C&...> cases;
  ~GiveBackAll() {
    std::apply([](C&... c) { (GiveBackCase(c), ...); }, cases);
  }
};

// SelectGo of cases some of which lend.
template <class... C>
int SelectLending(SelectCase* scases, uint32_t* order, int n, bool block, bool* received,
                  C&... cases) {
  LenderBase* lenders = nullptr;
  const GiveBackAll<C...> at_end{{cases...}};
  int k = 0;
  (AddCase(cases, &scases[kIsDefaultCase<C> ? n : k++], &lenders), ...);
  const int chosen = SelectGo(scases, order, n, block, received);
  k = 0;
  auto set_sent = [&](auto& c) {
    if (!kIsDefaultCase<decltype(c)> && chosen == k++) SetCaseSent(c);
  };
  (set_sent(cases), ...);
  return chosen;
}

}  // namespace rt

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
    bool received = false;
    int k = 0;
    int chosen;
    if constexpr ((rt::kLendsCase<C> || ...)) {
      chosen = rt::SelectLending(scases, order, n, kDefaults == 0, &received, cases...);
    } else {
      (cases.Add(&scases[rt::kIsDefaultCase<C> ? n : k++]), ...);
      chosen = rt::SelectGo(scases, order, n, kDefaults == 0, &received);
    }
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

}  // namespace gort

#endif  // GORT_CHAN_SELECT_H_
