// profile/internal/thread_timers.h: a timer for each thread of the process.
// What      follows the threads as they come and go, because a timer counts for the one thread that it was
//           made for. Where the system gives no more of them (RLIMIT_SIGPENDING), or there are too many threads,
//           one timer for the whole process takes their place.
// Layer     8. One thread at a time. Allocates nothing.
#ifndef GORT_PROFILE_INTERNAL_THREAD_TIMERS_H_
#define GORT_PROFILE_INTERNAL_THREAD_TIMERS_H_

#include <cstdint>

#include "gort/profile/internal/cpu_handler.h"

namespace gort::rt {

class ThreadTimers {
 public:
  constexpr ThreadTimers() = default;
  ThreadTimers(const ThreadTimers&) = delete;
  ThreadTimers& operator=(const ThreadTimers&) = delete;

  // What is to be listened to; kNone: the system gives no timers.
  CpuSource Start(int64_t period_ns);
  // Gives timers to new threads but `except`, and ends those of threads that are gone. What is to be
  // listened to from here on.
  CpuSource Follow(int except);
  void Stop();

 private:
  static constexpr int kMax = 8192;  // threads; there have to be less

  struct Entry {
    int tid;
    int timer;
  };

  // False: there may be no more timers.
  bool Add(int tid);
  void Drop();
  CpuSource FallBack();

  int64_t period_ns_ = 0;
  CpuSource source_ = CpuSource::kNone;
  int n_ = 0;
  Entry threads_[kMax] = {};  // ordered by tid
  Entry next_[kMax] = {};     // those of the look that is going on
  int n_next_ = 0;
  int seen_[kMax] = {};
};

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_THREAD_TIMERS_H_
