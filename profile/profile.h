// gort/profile/profile.h: where a program spends its time and its memory, for pprof.
// What      files that `go tool pprof`, and whatever else reads its format, open: who uses the CPU, where
//           goroutines are, where they wait, who makes others wait for a lock, who allocates. Each has
//           the functions, files and lines in it: the program is not needed to read them. Samples carry
//           the labels of their goroutine (labels.h).
// CPU       each thread of the process, but the one that counts, has a timer that runs with its CPU
//           time; the handler of its signal, SIGPROF, notes the stack that it has interrupted. Where
//           the system gives no more timers, ITIMER_PROF takes their place. A handler of the program's
//           keeps what these timers did not send; one that is installed while this records takes them
//           away.
//           GODEBUG=cpuprofile=FILE records from beginning to end.
// Waits     none is noted until a rate is set.
// Heap      of gort's own allocator (//malloc, //malloc:override), by samples: nothing is sampled until
//           a rate is set; GODEBUG=memprofilerate=BYTES sets it from the beginning.
// Cost      README.md has it, on and off.
// Layer     8. Public.
// Contract  | call                   | goroutine | foreign thread | parks | blocks in the kernel |
//           | StartCpu               |     x     |       x        |   x   |          x           |
//           | StopCpu, TakeCpu       |     x     |       x        |   -   |          x           |
//           | Read, Write            |     x     |       x        |   x   |          x           |
//           | Set…Rate, Set…Fraction |     x     |       x        |   -   |          -           |
//           Not in signal handlers.
// Go        runtime/pprof; runtime.SetBlockProfileRate, SetMutexProfileFraction, MemProfileRate
#ifndef GORT_PROFILE_PROFILE_H_
#define GORT_PROFILE_PROFILE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gort::profile {

// ---- CPU ----

struct CpuOptions {
  int hz =
      100;  // samples for each second of CPU time, from 1 to 1000; the kernel's clock may be coarser
};

// Begins to record for the file `path`, which is made or emptied now and written by StopCpu; an empty
// path: for TakeCpu. kFailedPrecondition: it records already, or the runtime has not started (gort::Run);
// kInvalidArgument: hz. kResourceExhausted: there are neither timers for threads (RLIMIT_SIGPENDING)
// nor ITIMER_PROF, which somebody uses. Otherwise the code of what the system said, with the path.
// Go: StartCPUProfile
absl::Status StartCpu(std::string_view path, CpuOptions options = {});
// Ends the recording and writes the file. kFailedPrecondition: nothing is recorded, or it is recorded for
// TakeCpu. Otherwise what went wrong when the file was written. Go: StopCPUProfile
absl::Status StopCpu();
// Ends a recording that StartCpu began without a path, and returns the profile. Codes as StopCpu's.
absl::StatusOr<std::string> TakeCpu();

// ---- the others ----

enum class Kind {
  kGoroutine,  // the stacks of all goroutines. The world stops meanwhile
  kBlock,      // where goroutines waited, how often and how long
  kMutex,      // whose Unlock others waited for, how often, and how long all of them together
  kHeap,       // who allocated what there is, and what there was in all
};

// The profile as it is now.
std::string Read(Kind kind);
// The same into the file `path`, or to the open file fd, which stays open. The code of what the system
// said.
absl::Status Write(Kind kind, std::string_view path);
absl::Status Write(Kind kind, int fd);

// Of waits on channels, locks, groups and the like, those are noted that last `ns` or longer, and of
// shorter ones as many as keeps the sums right: one for each `ns` waited. 1: all; 0, as at the start:
// none. Go: SetBlockProfileRate
void SetBlockProfileRate(int64_t ns);
// One of n waits for a Mutex or an RWMutex is noted; 1: each; 0, as at the start: none; n < 0 only asks.
// Returns what it was. Go: SetMutexProfileFraction
int SetMutexProfileFraction(int n);
// One allocation is noted for every so many bytes, by chance: an object in proportion to its size. 1: each;
// 0, as at the start: none. A cache of a P notices the change within the next 512 KiB that it
// allocates. Returns what it was. Go: MemProfileRate
int64_t SetHeapProfileRate(int64_t bytes);
inline constexpr int64_t kDefaultHeapProfileRate = 512 << 10;

}  // namespace gort::profile

#endif  // GORT_PROFILE_PROFILE_H_
