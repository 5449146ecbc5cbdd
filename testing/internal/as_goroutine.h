// testing/internal/as_goroutine.h: what tests call from a thread, on a goroutine.
// Layer     14. Package-internal.
#ifndef GORT_TESTING_INTERNAL_AS_GOROUTINE_H_
#define GORT_TESTING_INTERNAL_AS_GOROUTINE_H_

#include <exception>
#include <functional>
#include <utility>

#include "gort/proc/proc.h"
#include "gort/runtime.h"

namespace gort::testing {

// Calls f on a goroutine: the caller's, or a new one if the caller is a thread. Throws what f does.
inline void AsGoroutine(const std::function<void()>& f) {
  if (rt::OnGoroutine()) return f();
  std::exception_ptr error;
  gort::Run([&] {
    try {
      f();
    } catch (...) {
      error = std::current_exception();
    }
    return 0;
  });
  if (error != nullptr) std::rethrow_exception(std::move(error));
}

}  // namespace gort::testing

#endif  // GORT_TESTING_INTERNAL_AS_GOROUTINE_H_
