// gort/gort.h: most of what programs use of gort.
// What      goroutines (runtime.h), channels and select, locks and friends, sleep, timers and
//           tickers, contexts, values for each goroutine, the network, signals, child processes,
//           files, traces, profiles, metrics, and the types that appear in them. A program that wants
//           less includes the parts. Not in it: leak, debugpages, testing, malloc and stack.
// Layer     13. Public: #include "gort/gort.h".
#ifndef GORT_RUNTIME_GORT_H_
#define GORT_RUNTIME_GORT_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gort/base/panic.h"
#include "gort/base/version.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/context/cancel_scope.h"
#include "gort/context/context.h"
#include "gort/context/stop_token.h"
#include "gort/local/local.h"
#include "gort/metrics/metrics.h"
#include "gort/net/net.h"
#include "gort/os/os.h"
#include "gort/profile/labels.h"
#include "gort/profile/profile.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"
#include "gort/timer/timer_scope.h"
#include "gort/trace/trace.h"

#endif  // GORT_RUNTIME_GORT_H_
