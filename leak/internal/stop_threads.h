// leak/internal/stop_threads.h: making every other thread of the process stand still.
// What      a stop of the world stops Ps. Goroutines in system calls, those that were cut off, and
//           threads that gort did not make go on without. A signal stops them: its handler notes where the
//           thread was and waits. A goroutine that waits in pre-emption's handler for a P, which it cannot
//           get, stands already. Nobody that stands may hold what the caller needs: no allocation and no
//           lock from Stop to Resume.
// Layer     9. Package-internal. World stopped; one at a time.
#ifndef GORT_LEAK_INTERNAL_STOP_THREADS_H_
#define GORT_LEAK_INTERNAL_STOP_THREADS_H_

#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/leak/internal/scratch.h"

namespace gort::rt {

struct StoppedThread {
  int tid;
  uintptr_t pc, sp;  // of what was interrupted
  uintptr_t frame;   // the signal's frame, with all registers, lies above this address
  G* g;              // whose code it was (a g0: the scheduler's); null: the thread has none
};

class StopThreads {
 public:
  explicit StopThreads(Scratch* scratch)
      : threads_(scratch), staying_(scratch), listed_(scratch), asked_(scratch), text_(scratch) {}
  ~StopThreads() { Resume(); }
  StopThreads(const StopThreads&) = delete;
  StopThreads& operator=(const StopThreads&) = delete;

  // Takes the signal. Once in a process, before the first Stop, world not stopped.
  static void Install();
  // Memory for Stop. False: there is none.
  bool Prepare();
  // False: some thread did not stop until `deadline` (Nanotime); the others go on.
  bool Stop(int64_t deadline);
  void Resume();
  const Grow<StoppedThread>& threads() const { return threads_; }

 private:
  bool AllStand();
  bool Stays(int tid);

  Grow<StoppedThread> threads_;
  Grow<StoppedThread> staying_;
  Grow<int> listed_;
  Grow<int> asked_;
  Grow<char> text_;
  bool stopped_ = false;
};

}  // namespace gort::rt

#endif  // GORT_LEAK_INTERNAL_STOP_THREADS_H_
