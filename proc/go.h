// proc/go.h: starting goroutines.
// What      gort::Go(f, args...) decay-copies or moves the callable and its arguments straight to
//           their place: into the G when they are small (kClosureInG), onto the new goroutine's
//           stack, or to the heap when they are larger than kMaxInlineClosure. The goroutine calls
//           it there, and destroys all of them when it ends, by Goexit too.
// Stack     a goroutine gets the one that its P used last when it first runs, so many short ones
//           touch the memory of few stacks. It has one from the start if its closure lies there, or
//           if GoOptions::stack_size is set.
// Layer     6. Any goroutine or thread. Throws what copying or moving the arguments throws (nothing
//           is started then). No memory for its stack: "fatal error: out of memory (goroutine
//           stack)", here or when it first runs, as in Go; a program that must go on without bounds
//           how many goroutines it starts.
// Go        go statement, newproc
#ifndef GORT_PROC_GO_H_
#define GORT_PROC_GO_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace gort {

struct GoOptions {
  size_t stack_size = 0;       // bytes of usable stack; 0: the default; small values are rounded up
  std::string_view name = {};  // shown in tracebacks; the first 23 bytes are kept
  // A promise: the goroutine computes, and notices nothing when it goes on on another thread in the
  // middle of that. It holds no lock that knows its thread and has nothing of a thread_local half
  // done. Then it takes no thread along when it is pre-empted, which pays with very many goroutines
  // that compute for long.
  bool may_move = false;
};

namespace rt {

struct G;

inline constexpr size_t kMaxInlineClosure = 1024;

// A goroutine that exists but does not run yet, and room for its closure.
struct NewGoroutine {
  G* gp;
  void* closure;
};

// entry(closure) will be the body; gopc is for tracebacks. Go: newproc1
NewGoroutine NewProcBegin(size_t closure_bytes, size_t closure_align, void (*entry)(void*),
                          uintptr_t gopc, const GoOptions* options);
// Makes gp runnable: next on this P. Go: newproc
void NewProcCommit(G* gp);
// Gives gp back unused. The closure must not be alive.
void NewProcAbort(G* gp);
// Between NewProcBegin and NewProcCommit: makes gp a system goroutine (GoSystem).
void MarkSystem(G* gp);
// Marks the calling goroutine as the one that runs the program's main function.
void MarkMain();

template <class F, class... A>
struct Closure {
  std::tuple<F, A...> call;

  static void Run(void* p) {
    struct Owner {
      Closure* c;
      ~Owner() { c->~Closure(); }
    } owner{static_cast<Closure*>(p)};
    std::apply([](F& f, A&... a) { static_cast<void>(std::invoke(std::move(f), std::move(a)...)); },
               owner.c->call);
  }
};

// Fatal: go of nil func value.
[[noreturn]] void FatalNullFunction();

template <bool kSystem = false, class F, class... A>
__attribute__((noinline)) void Spawn(const GoOptions* options, F&& f, A&&... args) {
  using C = Closure<std::decay_t<F>, std::decay_t<A>...>;
  if constexpr (requires { f == nullptr; } && !std::is_array_v<std::remove_reference_t<F>> &&
                !std::is_function_v<std::remove_reference_t<F>>) {
    if (f == nullptr) FatalNullFunction();
  }
  struct Pending {
    G* gp;
    ~Pending() {
      if (gp != nullptr) NewProcAbort(gp);
    }
  };
  NewGoroutine g = NewProcBegin(sizeof(C), alignof(C), &C::Run,
                                reinterpret_cast<uintptr_t>(__builtin_return_address(0)), options);
  Pending pending{g.gp};
  ::new (g.closure) C{{std::forward<F>(f), std::forward<A>(args)...}};
  pending.gp = nullptr;
  if constexpr (kSystem) MarkSystem(g.gp);
  NewProcCommit(g.gp);
}

// As gort::Go, for a goroutine of the runtime's own: NumGoroutine, the deadlock report, tracebacks
// and SchedEnableUser leave it out. Go: isSystemGoroutine (traceback.go);
// differs: by request, not by name
template <class F>
requires std::is_invocable_v<std::decay_t<F>>
__attribute__((always_inline)) inline void GoSystem(F&& f) {
  Spawn<true>(nullptr, std::forward<F>(f));
}

}  // namespace rt

// Runs f(args...) as a new goroutine; its result is ignored. A null function is fatal.
template <class F, class... A>
requires std::is_invocable_v<std::decay_t<F>, std::decay_t<A>...>
__attribute__((always_inline)) inline void Go(F&& f, A&&... args) {
  rt::Spawn(nullptr, std::forward<F>(f), std::forward<A>(args)...);
}
template <class F, class... A>
requires std::is_invocable_v<std::decay_t<F>, std::decay_t<A>...>
__attribute__((always_inline)) inline void Go(const GoOptions& options, F&& f, A&&... args) {
  rt::Spawn(&options, std::forward<F>(f), std::forward<A>(args)...);
}

}  // namespace gort

#endif  // GORT_PROC_GO_H_
