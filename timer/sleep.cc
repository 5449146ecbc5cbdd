#include "gort/timer/sleep.h"

#include "absl/time/time.h"
#include "gort/timer/internal/bubble.h"
#include "gort/timer/internal/sleep_ns.h"

namespace gort {

int64_t rt::SaturatedNanoseconds(absl::Duration d) { return absl::ToInt64Nanoseconds(d); }

absl::Time Now() { return absl::FromUnixNanos(rt::UserWalltime()); }

void Sleep(absl::Duration d) { rt::SleepNs(rt::SaturatedNanoseconds(d)); }

}  // namespace gort
