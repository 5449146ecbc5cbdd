// sysmon/follow_cpus.h: GOMAXPROCS follows the CPUs that the process may use.
// What      the affinity mask and the control groups' quotas can change while a program runs; then
//           GOMAXPROCS changes with them, unless the environment or a call has chosen it.
// Layer     10, used by sysmon only.                  Go: updateMaxProcsGoroutine,
//           defaultGOMAXPROCS
#ifndef GORT_SYSMON_FOLLOW_CPUS_H_
#define GORT_SYSMON_FOLLOW_CPUS_H_

#include <cstdint>

namespace gort::rt {

// Looks at the CPUs at most once a second (`now` in monotonic nanoseconds) and starts a goroutine
// that resizes when their number has changed: sysmon has no P and so cannot stop the world itself.
// On sysmon's thread, whose affinity stands for the process's. A look costs a system call and
// reading a few small files.
void FollowCpus(int64_t now);

}  // namespace gort::rt

#endif  // GORT_SYSMON_FOLLOW_CPUS_H_
