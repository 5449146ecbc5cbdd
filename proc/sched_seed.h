// proc/sched_seed.h: schedules from a seed.
// What      with a seed (GODEBUG=schedseed=N, or SetSchedSeed) the scheduler's choices, and those
//           of select, are random numbers of one sequence that the seed determines: where a
//           goroutine that became runnable stands in the queue, and whether a goroutine gives way
//           at a point where it could (PreemptCheck). Time slices do not end. So on one P the same
//           seed gives the same schedule, and another seed gives another, which may be one that
//           hardly ever happens by itself.
// Not covered  Whatever depends on time or on the world outside: real timers and sleeps (a bubble,
//           gort/testing/testing.h, has none), system calls, foreign threads, a Mutex that somebody
//           waits for longer than 1 ms. With more than one P the choices are random, but which
//           goroutine meets which choice is not determined.
// Layer     6. Any stack.
#ifndef GORT_PROC_SCHED_SEED_H_
#define GORT_PROC_SCHED_SEED_H_

#include <atomic>
#include <cstdint>

#include "gort/gmp/sched.h"

namespace gort::rt {

// 0: none, the normal state. Read on hot paths: nothing else shall share its cache line.
struct alignas(64) SchedSeedState {
  std::atomic<uint64_t> seed{0};
  std::atomic<uint64_t> next{0};  // state of the sequence
};
extern SchedSeedState sched_seed_state;

inline uint64_t SchedSeed() { return sched_seed_state.seed.load(std::memory_order_relaxed); }
inline bool SchedSeeded() { return SchedSeed() != 0; }

// True when a request to give way counts for nothing: it comes from a time slice that ended just
// before the seed was set. Stopping the world goes on as ever.
inline bool SeedIgnoresRequests() {
  return SchedSeeded() && !sched.gcwaiting.load(std::memory_order_relaxed);
}

// Starts the sequence of `seed`; 0: back to normal. Takes effect for a goroutine when it runs the
// next time. Not while a world of more than one P runs, if repeatable schedules are wanted.
void SetSchedSeed(uint64_t seed);

// The next number of the sequence.
uint64_t SchedRand();
// True once in n calls, on average.
inline bool SchedOneIn(uint32_t n) { return SchedRand() % n == 0; }

}  // namespace gort::rt

#endif  // GORT_PROC_SCHED_SEED_H_
