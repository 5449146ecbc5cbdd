// proc/on_goroutine.h: has a goroutine do what a thread cannot; what either does in the kernel.
// What      to stop the world, or to make a thread, needs a P, which a thread that gort did not make has
//           not.
// Layer     6. Any goroutine, and any thread while the runtime runs; such a thread waits.
#ifndef GORT_PROC_ON_GOROUTINE_H_
#define GORT_PROC_ON_GOROUTINE_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "gort/platforms/futex.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"

namespace gort::rt {

// f(), which does not throw, called here if this is a goroutine, else by one. Returns a value.
template <class F>
std::invoke_result_t<const F&> OnAGoroutine(const F& f) {
  if (OnGoroutine()) return f();
  struct Call {
    std::optional<std::invoke_result_t<const F&>> result;
    std::atomic<uint32_t> done{0};
  } call;
  // A system goroutine: one that is there for a moment is no goroutine of the program's.
  GoSystem([&call, &f] {
    call.result.emplace(f());
    call.done.store(1, std::memory_order_release);  // pairs with: the load below
    FutexWake(&call.done, 1);
  });
  while (call.done.load(std::memory_order_acquire) == 0) FutexSleep(&call.done, 0, -1);
  return *std::move(call.result);
}

// f() as a system call, if the caller is a goroutine.
template <class F>
std::invoke_result_t<const F&> InSyscall(const F& f) {
  struct Scope {
    const bool on = OnGoroutine();
    Scope() {
      if (on) EnterSyscall();
    }
    ~Scope() {
      if (on) ExitSyscall();
    }
  } scope;
  return f();
}

}  // namespace gort::rt

#endif  // GORT_PROC_ON_GOROUTINE_H_
