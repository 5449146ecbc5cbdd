// platforms/cpu_timer.h: signals by the CPU time that a thread has used.
// What      a timer for each thread whose clock stands still while the thread does not run, so a
//           thread that waits in the kernel hears nothing of it. See timer_create(2).
// Layer     2. Any thread; CpuTimerTicks and ProcessTimerTicks in signal handlers too. errno is left
//           as it was.
// Go        setThreadCPUProfiler (os_linux.go)
#ifndef GORT_PLATFORMS_CPU_TIMER_H_
#define GORT_PLATFORMS_CPU_TIMER_H_

#include <signal.h>

#include <cstdint>

namespace gort::rt {

// Sends the thread `tid` of this process the signal `sig` whenever it has used another period_ns of
// CPU time. Returns 0 with the timer in *id, or an errno value: EAGAIN when there may be no more timers
// (RLIMIT_SIGPENDING), EINVAL when there is no such thread.
int CpuTimerStart(int tid, int sig, int64_t period_ns, int* id);
// Ends the timer; one that has outlived its thread, too. A signal may be on its way.
void CpuTimerStop(int id);
// How many periods the signal with this information stands for; 0: no such timer sent it.
int CpuTimerTicks(const siginfo_t& info);

// One timer for the whole process instead, ITIMER_PROF: its signal goes to a thread that runs. False:
// somebody uses it already.
bool ProcessTimerStart(int64_t period_ns);
void ProcessTimerStop();
// As CpuTimerTicks, of a SIGPROF. The kernel's word is all there is: any ITIMER_PROF looks the same.
int ProcessTimerTicks(const siginfo_t& info);

// The kernel's ids of the threads of this process, in no order; at most max of them. Returns how many,
// 0 when they cannot be read. Allocates nothing.
int ThreadIds(int* out, int max);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_CPU_TIMER_H_
