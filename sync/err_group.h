// gort/sync/err_group.h: goroutines that work on one task, and its first error.
// What      gort::ErrGroup. Go(f) runs f, which returns an absl::Status, as a goroutine; Wait
//           returns when all have ended, with the first error. That error also cancels Ctx(), which
//           the others watch. SetLimit(n): at most n run at once.
// Layer     10.                                       Go: golang.org/x/sync/errgroup
// Lifetime  A cheap handle: copies mean the same group. Goroutines keep the group themselves, but
//           Wait is the only way to know that they have ended.
// Contract  | call        | goroutine | other thread | parks              | allocates  |
//           | Go          |     x     | blocks it    | while n are active | as gort::Go |
//           | TryGo       |     x     |      x       | -                  | as gort::Go |
//           | Wait        |     x     | blocks it    | x                  |     -      |
//           | SetLimit    |     x     |      x       | -                  | x          |
#ifndef GORT_SYNC_ERR_GROUP_H_
#define GORT_SYNC_ERR_GROUP_H_

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "gort/context/context.h"
#include "gort/proc/go.h"

namespace gort {
namespace rt {

struct ErrGroupState;

// Counts one more goroutine, after a wait for its place if `wait`. False: the limit is reached.
bool ErrGroupBegin(ErrGroupState* s, bool wait);
// Takes a goroutine off the count.
void ErrGroupEnd(ErrGroupState* s);
// Keeps the first error and cancels the context with it.
void ErrGroupFail(ErrGroupState* s, const absl::Status& err);

}  // namespace rt

class ErrGroup {
 public:
  // With a context of its own.
  ErrGroup() : ErrGroup(Background()) {}
  // With a context derived from parent, for Ctx().
  explicit ErrGroup(const Context& parent);

  // The group and its context. Go: WithContext
  static std::pair<ErrGroup, Context> WithContext(const Context& parent) {
    ErrGroup g(parent);
    return {g, g.Ctx()};
  }

  // Cancelled by the first error, which is its Cause, and when Wait returns.
  const Context& Ctx() const;

  // Runs f() as a goroutine of the group; f returns absl::Status, or nothing. With a limit that is
  // reached, waits until one has ended. Go: Group.Go
  template <class F>
  requires std::is_invocable_v<std::decay_t<F>>
  void Go(F&& f) const {
    rt::ErrGroupBegin(s_.get(), /*wait=*/true);
    Start(std::forward<F>(f));
  }
  // The same without waiting. False: the limit is reached, and f was left alone. Go: Group.TryGo
  template <class F>
  requires std::is_invocable_v<std::decay_t<F>>
  bool TryGo(F&& f) const {
    if (!rt::ErrGroupBegin(s_.get(), /*wait=*/false)) return false;
    Start(std::forward<F>(f));
    return true;
  }

  // Waits until all goroutines of the group have ended, cancels Ctx(), and returns the first error,
  // or ok. Go: Group.Wait
  absl::Status Wait() const;

  // At most n at once from now on; n < 0: as many as you like; 0: none at all. Throws Panic while
  // any is running: "errgroup: modify limit while 3 goroutines in the group are still active".
  // Not beside a call of Go. Go: Group.SetLimit
  void SetLimit(int64_t n) const;

 private:
  using State = std::shared_ptr<rt::ErrGroupState>;

  // Takes the goroutine off the count however it ends, and when it cannot be started.
  class Running {
   public:
    explicit Running(State s) : s_(std::move(s)) {}
    Running(Running&&) = default;
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
      if (s_ != nullptr) rt::ErrGroupEnd(s_.get());
    }
    rt::ErrGroupState* state() const { return s_.get(); }

   private:
    State s_;
  };
  template <class F>
  struct Task {
    Running running;  // destroyed after f
    F f;
    void operator()() {
      if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
        std::invoke(std::move(f));
      } else {
        static_assert(std::convertible_to<std::invoke_result_t<F>, absl::Status>,
                      "a function of an ErrGroup returns absl::Status");
        absl::Status err = std::invoke(std::move(f));
        if (!err.ok()) rt::ErrGroupFail(running.state(), err);
      }
    }
  };

  template <class F>
  void Start(F&& f) const {
    gort::Go(Task<std::decay_t<F>>{Running(s_), std::forward<F>(f)});
  }

  State s_;
};

}  // namespace gort

#endif  // GORT_SYNC_ERR_GROUP_H_
