// sysmon/follow_cpus.h: GOMAXPROCS goes with the CPUs that the process may use.
// What      the affinity mask and the control groups' quotas can change while a program runs.
//           Unless somebody chose GOMAXPROCS (environment or call), it is set anew when they do.
// Layer     10, used by sysmon only.                  Go: updateMaxProcsGoroutine,
//           defaultGOMAXPROCS
#ifndef GORT_SYSMON_FOLLOW_CPUS_H_
#define GORT_SYSMON_FOLLOW_CPUS_H_

#include <cstdint>

namespace gort::rt {

// Looks at most once a second (`now` in monotonic nanoseconds), and starts a goroutine that resizes
// when there is something to change: stopping the world is not for a thread without a P. sysmon's
// thread; its own affinity stands for the process's. Costs a system call and a few small files.
void FollowCpus(int64_t now);

}  // namespace gort::rt

#endif  // GORT_SYSMON_FOLLOW_CPUS_H_
