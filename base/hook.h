// base/hook.h: a function pointer that is set early and called from anywhere.
// What      the way a low layer reaches a higher one without naming it (Abseil's AtomicHook idea).
// Layer     1. Constant-initialised, so that it works before any constructor has run.
// Contract  Set, Get and the call may race. A call is async-signal-safe if the target is, and sees
//           everything that was written before the target was set.
#ifndef GORT_BASE_HOOK_H_
#define GORT_BASE_HOOK_H_

#include <atomic>
#include <utility>

namespace gort::rt {

// constinit Hook<void(int)> h{&Default}; h.Set(&Better); h(3);
template <class Sig>
class Hook;

template <class R, class... A>
class Hook<R(A...)> {
 public:
  using Fn = R (*)(A...);
  // fallback: called until Set; not null.
  constexpr explicit Hook(Fn fallback) : fn_(fallback) {}
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  // Replaces the target (not null). May be called again (tests); the last one wins.
  void Set(Fn fn) { fn_.store(fn, std::memory_order_release); }   // pairs with: Get
  Fn Get() const { return fn_.load(std::memory_order_acquire); }  // pairs with: Set
  R operator()(A... a) const { return Get()(std::forward<A>(a)...); }

 private:
  std::atomic<Fn> fn_;
};

}  // namespace gort::rt

#endif  // GORT_BASE_HOOK_H_
