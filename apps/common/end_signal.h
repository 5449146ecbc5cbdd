// apps/common/end_signal.h: SIGTERM and SIGINT as something a goroutine waits for.
// The handler writes to a pipe, on which a goroutine waits with WaitReadable, as one would on a
// descriptor of any other library.
#ifndef GORT_APPS_COMMON_END_SIGNAL_H_
#define GORT_APPS_COMMON_END_SIGNAL_H_

namespace apps {

// Catches both signals from now on. To be called once, before WaitForEndSignal. False: the system
// refused.
bool CatchEndSignals();

// Parks the calling goroutine until one of the signals has come. False: waiting failed.
bool WaitForEndSignal();

}  // namespace apps

#endif  // GORT_APPS_COMMON_END_SIGNAL_H_
