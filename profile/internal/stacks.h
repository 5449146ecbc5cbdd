// profile/internal/stacks.h: the profiles that are there all the time.
// What      goroutines are counted when they are asked for; waits, contention and allocations are added up
//           from when a rate is set until the end of the process.
// Layer     8.                                        Go: goroutineProfile, blockevent, mutexevent, mProf
#ifndef GORT_PROFILE_INTERNAL_STACKS_H_
#define GORT_PROFILE_INTERNAL_STACKS_H_

#include <cstdint>
#include <string>

namespace gort::rt {

// A goroutine. Stops the world.
std::string GoroutineProfile();

// A goroutine, or a thread that gort did not make.
std::string BlockProfile();
std::string MutexProfile();
std::string HeapProfile();

void BlockRate(int64_t ns);
int MutexFraction(int n);
int64_t HeapRate(int64_t bytes);

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_STACKS_H_
