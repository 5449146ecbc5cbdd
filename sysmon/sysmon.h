// sysmon/sysmon.h: the monitor: an M without a P that watches the others.
// What      polls the network when nobody does, takes Ps back (retake.h), returns memory to the OS.
//           Sleeps 20 us at first, up to 10 ms when there is nothing to do, and without end while
//           every P is idle and no memory is left to return.
// Layer     10. Started once, by the first goroutine.       Go: sysmon (proc.go)
#ifndef GORT_SYSMON_SYSMON_H_
#define GORT_SYSMON_SYSMON_H_

namespace gort::rt {

// Body of the monitor's thread; never returns. For NewM.
void Sysmon();

}  // namespace gort::rt

#endif  // GORT_SYSMON_SYSMON_H_
