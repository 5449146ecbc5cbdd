// gmp/testing/coroutine.h: a goroutine without a scheduler.
// What      runs a function on a stack of its own, and lets it park and be resumed by the thread
//           that made it. Provides gort_goexit, as proc does in programs.
// Layer     tests only. One thread.
#ifndef GORT_GMP_TESTING_COROUTINE_H_
#define GORT_GMP_TESTING_COROUTINE_H_

#include <cstddef>

#include "gort/gmp/g.h"
#include "gort/gmp/m.h"

namespace gort::rt::testing {

// The thread as an M: its G is current while the object lives.
class TestThread {
 public:
  TestThread();
  ~TestThread();
  M m;
  G g0;
};

class Coroutine {
 public:
  // fn runs at the first Resume. lo, bytes: the stack; null: one of 64 KiB from the heap (more
  // under sanitizers).
  Coroutine(TestThread* thread, void (*fn)(), void* lo = nullptr, size_t bytes = 0);
  ~Coroutine();
  // Runs it until it parks or returns; kGWaiting or kGDead then.
  void Resume();
  // Called by fn, from any depth.
  static void Park();
  G g;

 private:
  TestThread* const thread_;
  char* own_ = nullptr;
};

}  // namespace gort::rt::testing

#endif  // GORT_GMP_TESTING_COROUTINE_H_
