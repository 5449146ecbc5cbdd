// sync/internal/call.h: a function with its arguments, on its way into a goroutine of a group.
// What      BoundCall keeps what gort::Go would keep, in the same way: decayed, moved when called.
//           CallCatching separates what a function throws from the Goexit that passes through it.
// Layer     10. Any goroutine or thread.
#ifndef GORT_SYNC_INTERNAL_CALL_H_
#define GORT_SYNC_INTERNAL_CALL_H_

#include <exception>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "gort/proc/go.h"

namespace gort::rt {

// What f(args...) returns when f and args have been copied into a goroutine.
template <class F, class... A>
using CallResult = std::invoke_result_t<std::decay_t<F>, std::decay_t<A>...>;

template <class F, class... A>
inline constexpr bool kCallable = std::is_invocable_v<std::decay_t<F>, std::decay_t<A>...>;

template <class F, class... A>
struct BoundCall {
  std::tuple<F, A...> parts;

  // Calls it, with `first` before the arguments. Once: function and arguments are moved from.
  template <class... First>
  decltype(auto) operator()(First&&... first) {
    return std::apply(
        [&](F& f, A&... a) -> decltype(auto) {
          return std::invoke(std::move(f), std::forward<First>(first)..., std::move(a)...);
        },
        parts);
  }
};

template <class F, class... A>
using BoundCallOf = BoundCall<std::decay_t<F>, std::decay_t<A>...>;

// Copies or moves f and args. Fatal, as gort::Go is, when f is a null function.
template <class F, class... A>
BoundCallOf<F, A...> Bind(F&& f, A&&... args) {
  if constexpr (requires { f == nullptr; } && !std::is_array_v<std::remove_reference_t<F>> &&
                !std::is_function_v<std::remove_reference_t<F>>) {
    if (f == nullptr) FatalNullFunction();
  }
  return {.parts = {std::forward<F>(f), std::forward<A>(args)...}};
}

// Calls f(). What it throws goes to fail(std::exception_ptr); a Goexit goes on.
template <class F, class Fail>
void CallCatching(F&& f, Fail&& fail) {
  try {
    std::forward<F>(f)();
  } catch (...) {
    std::exception_ptr thrown = std::current_exception();
    if (thrown == nullptr) throw;  // no exception of C++: Goexit
    fail(std::move(thrown));
  }
}

}  // namespace gort::rt

#endif  // GORT_SYNC_INTERNAL_CALL_H_
