// gort/sync/task_group.h: goroutines that end with their scope.
// What      gort::TaskGroup. Go(f) and Spawn(f) start goroutines that work on one task. The first
//           failure, an exception or an absl::Status that is not ok, cancels the context that all of
//           them can have; Wait returns when all have ended, with that failure. The destructor
//           cancels and waits as well: the scope is not left before its goroutines have ended,
//           whether by return, by an exception or by Goexit. SetLimit(n): at most n run at once.
// Layer     10.                                       Go: none; errgroup, and a defer
// Functions f(args...), or f(context(), args...) if f can be called so. What is given to Go returns
//           nothing, absl::Status or an absl::StatusOr; to Spawn, anything: the value, or the
//           exception, is the Future's. Every f is run, after a failure too; its context is cancelled
//           then. f may start others in the group.
// Failure   The first counts, the others are dropped. An exception is told to Cause(context()) as
//           UnknownError of its what(). A Panic is an exception like any other. A Goexit is an end
//           without a failure. The destructor drops a failure that Wait did not report.
// Lifetime  Not movable. It must not be destroyed by one of its goroutines, nor Wait called by one.
// Contract  | call        | goroutine | other thread | parks              | allocates         |
//           | Go, Spawn   |     x     | blocks it    | while n are active | as gort::Go, Spawn |
//           | Wait, end   |     x     | blocks it    | x                  | -                 |
//           | Cancel      |     x     |      x       | as a CancelFunc    | -                 |
//           | SetLimit    |     x     |      x       | -                  | x                 |
#ifndef GORT_SYNC_TASK_GROUP_H_
#define GORT_SYNC_TASK_GROUP_H_

#include <cstdint>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "gort/context/context.h"
#include "gort/proc/go.h"
#include "gort/sync/future.h"
#include "gort/sync/internal/call.h"
#include "gort/sync/internal/group.h"

namespace gort {
namespace rt {

template <class F, class... A>
inline constexpr bool kTakesContext =
    std::is_invocable_v<std::decay_t<F>, const Context&, std::decay_t<A>...>;

// f(args...) or f(ctx, args...).
template <class F, class... A>
struct GroupCall {
  Group* group;
  BoundCall<F, A...> call;

  decltype(auto) operator()() {
    if constexpr (kTakesContext<F, A...>) {
      return call(group->ctx());
    } else {
      return call();
    }
  }
};
template <class F, class... A>
using GroupCallOf = GroupCall<std::decay_t<F>, std::decay_t<A>...>;
template <bool kWithContext, class F, class... A>
struct GroupResultOf : std::invoke_result<std::decay_t<F>, std::decay_t<A>...> {};
template <class F, class... A>
struct GroupResultOf<true, F, A...>
    : std::invoke_result<std::decay_t<F>, const Context&, std::decay_t<A>...> {};
template <class F, class... A>
using GroupResult = typename GroupResultOf<kTakesContext<F, A...>, F, A...>::type;

template <class F, class... A>
concept GroupFunction = kTakesContext<F, A...> || kCallable<F, A...>;

// What a goroutine of TaskGroup::Spawn runs: the Future is ready before the group counts its end.
template <class R, class Call>
struct GroupFutureTask {
  Member<Group*> member;  // destroyed last
  Promise<R> promise;     // destroyed after call
  Call call;

  void operator()() {
    FutureValue<R>* s = promise.state();
    Group& g = member.group();
    CallCatching(
        [&] {
          s->SetFrom([&]() -> R { return call(); });
          if constexpr (!std::is_void_v<R> && !std::is_reference_v<R>) g.Look(*s->value());
        },
        [&](std::exception_ptr e) {
          s->SetThrown(e);
          g.FailThrown(std::move(e));
        });
  }
};

}  // namespace rt

class TaskGroup {
 public:
  // Its context is derived from parent.
  explicit TaskGroup(Context parent = Background()) : g_(parent) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  // Cancels the context and waits until all goroutines have ended.
  ~TaskGroup() {
    Cancel();
    g_.Join();
  }

  // Runs f as a goroutine of the group, which ends when f and args are destroyed. They are copied or
  // moved as by gort::Go. With a limit that is reached, waits until one has ended.
  template <class F, class... A>
  requires rt::GroupFunction<F, A...>
  void Go(const GoOptions& options, F&& f, A&&... args) {
    using R = rt::GroupResult<F, A...>;
    static_assert(
        std::is_void_v<R> || rt::SaysStatus<std::remove_cvref_t<R>>,
        "a function given to TaskGroup::Go returns nothing or a status; Spawn takes others");
    g_.Begin(/*wait=*/true);
    rt::Member<rt::Group*> member(&g_);
    gort::Go(options, rt::TaskOf(std::move(member), [&] {
               return Call(std::forward<F>(f), std::forward<A>(args)...);
             }));
  }
  template <class F, class... A>
  requires rt::GroupFunction<F, A...>
  void Go(F&& f, A&&... args) { Go(GoOptions(), std::forward<F>(f), std::forward<A>(args)...); }

  // The same, with a Future of what f returns. Dropping the Future is fine: the group waits.
  template <class F, class... A>
  requires rt::GroupFunction<F, A...>
  auto Spawn(const GoOptions& options, F&& f, A&&... args) -> Future<rt::GroupResult<F, A...>> {
    using R = rt::GroupResult<F, A...>;
    g_.Begin(/*wait=*/true);
    rt::Member<rt::Group*> member(&g_);
    auto* s = new rt::FutureValue<R>;
    rt::FutureRef<R> mine(s);
    rt::Promise<R> promise(s);
    gort::Go(options, rt::GroupFutureTask<R, rt::GroupCallOf<F, A...>>{
                          .member = std::move(member),
                          .promise = std::move(promise),
                          .call = Call(std::forward<F>(f), std::forward<A>(args)...)});
    return Future<R>(std::move(mine));
  }
  template <class F, class... A>
  requires rt::GroupFunction<F, A...>
  auto Spawn(F&& f, A&&... args) -> Future<rt::GroupResult<F, A...>> {
    return Spawn(GoOptions(), std::forward<F>(f), std::forward<A>(args)...);
  }

  // Waits until all goroutines have ended, those included that are started meanwhile. Throws the
  // first failure if it is an exception; returns it if it is a status; ok: there was none. Again each
  // time. The context is left as it is.
  absl::Status Wait() {
    g_.Join();
    return g_.Failure();
  }

  // Cancels the context. Goroutines that have ended, or do not look at it, are not affected.
  void Cancel() { g_.Cancel(absl::OkStatus()); }
  // Cancelled by the first failure, which is its Cause, by Cancel, by the destructor, and with its
  // parent.
  Context context() const { return g_.ctx(); }

  // At most n at once from now on; n < 0: as many as you like; 0: none at all. Throws Panic while any
  // is running, as ErrGroup::SetLimit. A goroutine of the group that starts another keeps its own
  // place meanwhile: n such goroutines that all do so wait for ever.
  void SetLimit(int n) { g_.SetLimit(n); }

 private:
  template <class F, class... A>
  rt::GroupCallOf<F, A...> Call(F&& f, A&&... args) {
    return {.group = &g_, .call = rt::Bind(std::forward<F>(f), std::forward<A>(args)...)};
  }

  rt::Group g_;
};

}  // namespace gort

#endif  // GORT_SYNC_TASK_GROUP_H_
