// net/internal/options.h: socket options and deadlines, for the public classes.
// Layer     11, used by net only. With a null fd each call returns NoConnection.
#ifndef GORT_NET_INTERNAL_OPTIONS_H_
#define GORT_NET_INTERNAL_OPTIONS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/net/internal/fd.h"

namespace gort::rt {

absl::Status SetFdDeadline(NetFd* fd, absl::Time t, uint32_t mode);
absl::Status SetFdInt(NetFd* fd, int level, int name, int value, const char* what);
// The kernel sends a probe after `idle` without traffic, and up to nine, `idle` apart; idle <= 0:
// none. `idle` is rounded up to whole seconds.
absl::Status SetFdKeepAlive(NetFd* fd, absl::Duration idle);
// Of a socket that came from outside: what Dial and Listen set if nobody says otherwise. Not for null.
void SetTcpDefaults(NetFd* fd);

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_OPTIONS_H_
