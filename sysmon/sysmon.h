// sysmon/sysmon.h: the monitor: an M without a P that watches the others.
// What      polls the network when no other M does, takes Ps back (retake.h), returns memory to the
//           OS, follows the CPUs. It sleeps as follows:
//
//             after                                                  each sleep lasts
//             the start, a hand-off, a deep sleep                    20 us, for 50 rounds
//             50 rounds without a hand-off                           twice the last one, up to 10 ms
//             (with a time slice that ends before)                   until that end, at least 20 us
//             every P idle, or the world stopped: the deep sleep     until a P leaves the idle list,
//                                                                    or something below is due
//
//           What limits the deep sleep: memory that is left to return (a second), the SCHED line,
//           the next look for a deadlock.
// Layer     10. Started once, by the first goroutine.       Go: sysmon (proc.go)
#ifndef GORT_SYSMON_SYSMON_H_
#define GORT_SYSMON_SYSMON_H_

namespace gort::rt {

// Body of the monitor's thread; never returns. For NewM.
void Sysmon();

}  // namespace gort::rt

#endif  // GORT_SYSMON_SYSMON_H_
