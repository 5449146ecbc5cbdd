// base/hook.h: a function pointer that is set once, early, and called from anywhere.
// What      the way a low layer reaches a higher one without naming it (Abseil's AtomicHook idea).
// Layer     1. Constant-initialised. Call() is async-signal-safe if the target is.
#ifndef GORT_BASE_HOOK_H_
#define GORT_BASE_HOOK_H_

#include <atomic>

namespace gort::rt {

// Hook<void(int)> h{&Default}; h.Set(&Better); h(3);
template <class Sig>
class Hook;

template <class R, class... A>
class Hook<R(A...)> {
 public:
  using Fn = R (*)(A...);
  constexpr explicit Hook(Fn fallback) : fn_(fallback) {}

  // Replaces the target. May be called more than once (tests); the last one wins.
  void Set(Fn fn) { fn_.store(fn, std::memory_order_release); }  // pairs with: operator()
  Fn Get() const { return fn_.load(std::memory_order_acquire); }
  R operator()(A... a) const { return fn_.load(std::memory_order_acquire)(a...); }

 private:
  std::atomic<Fn> fn_;
};

}  // namespace gort::rt

#endif  // GORT_BASE_HOOK_H_
