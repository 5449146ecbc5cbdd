// gort/sync/err_group.h: goroutines that work on one task, and its first error.
// What      gort::ErrGroup. Go(f) runs f, which returns an absl::Status, as a goroutine; Wait
//           returns when all have ended, with the first error. That error also cancels Ctx(), which
//           the others watch. SetLimit(n): at most n run at once.
// Layer     10.                                       Go: golang.org/x/sync/errgroup
// Errors    What a function throws is an error too: it cancels Ctx(), with UnknownError of its what()
//           as the cause, and Wait throws it if it is the first. A Panic is an exception like any
//           other. When nobody calls Wait, errors go with the group. A Goexit is an end without one.
// Lifetime  A cheap handle: copies mean the same group. Goroutines keep the group themselves;
//           Wait says when they have ended.
// Contract  | call        | goroutine | other thread | parks              | allocates  |
//           | Go          |     x     | blocks it    | while n are active | as gort::Go |
//           | TryGo       |     x     |      x       | -                  | as gort::Go |
//           | Wait        |     x     | blocks it    | x                  |     -      |
//           | SetLimit    |     x     |      x       | -                  | x          |
#ifndef GORT_SYNC_ERR_GROUP_H_
#define GORT_SYNC_ERR_GROUP_H_

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "gort/context/context.h"
#include "gort/proc/go.h"
#include "gort/sync/internal/call.h"
#include "gort/sync/internal/group.h"

namespace gort {

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
  const Context& Ctx() const { return g_->ctx(); }

  // Runs f(args...) as a goroutine of the group; f returns absl::Status, or nothing. f and args are
  // copied or moved as by gort::Go. With a limit that is reached, waits until one has ended.
  // Go: Group.Go
  template <class F, class... A>
  requires rt::kCallable<F, A...>
  void Go(const GoOptions& options, F&& f, A&&... args) const {
    g_->Begin(/*wait=*/true);
    Start(options, std::forward<F>(f), std::forward<A>(args)...);
  }
  template <class F, class... A>
  requires rt::kCallable<F, A...>
  void Go(F&& f, A&&... args) const {
    Go(GoOptions(), std::forward<F>(f), std::forward<A>(args)...);
  }
  // The same without waiting. False: the limit is reached, and f was left alone. Go: Group.TryGo
  template <class F, class... A>
  requires rt::kCallable<F, A...>
  bool TryGo(const GoOptions& options, F&& f, A&&... args) const {
    if (!g_->Begin(/*wait=*/false)) return false;
    Start(options, std::forward<F>(f), std::forward<A>(args)...);
    return true;
  }
  template <class F, class... A>
  requires rt::kCallable<F, A...>
  bool TryGo(F&& f, A&&... args) const {
    return TryGo(GoOptions(), std::forward<F>(f), std::forward<A>(args)...);
  }

  // Waits until all goroutines of the group have ended, cancels Ctx(), and returns the first error,
  // or throws it, or returns ok. A later call does the same. Go: Group.Wait
  absl::Status Wait() const;

  // At most n at once from now on; n < 0: as many as you like; 0: none at all. Throws Panic while
  // any is running: "errgroup: modify limit while 3 goroutines in the group are still active".
  // Not beside a call of Go. Go: Group.SetLimit
  void SetLimit(int64_t n) const { g_->SetLimit(n); }

 private:
  using State = std::shared_ptr<rt::Group>;

  template <class F, class... A>
  void Start(const GoOptions& options, F&& f, A&&... args) const {
    using R = rt::CallResult<F, A...>;
    static_assert(std::is_void_v<R> || std::is_convertible_v<R, absl::Status>,
                  "a function of an ErrGroup returns absl::Status");
    rt::Member<State> member(g_);
    gort::Go(options, rt::TaskOf(std::move(member), [&] {
               return rt::Bind(std::forward<F>(f), std::forward<A>(args)...);
             }));
  }

  State g_;
};

}  // namespace gort

#endif  // GORT_SYNC_ERR_GROUP_H_
