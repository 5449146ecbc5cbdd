// net/internal/adopt.h: descriptors that come from somewhere else, and go there.
// Layer     11, used by net only.                         Go: file_unix.go
#ifndef GORT_NET_INTERNAL_ADOPT_H_
#define GORT_NET_INTERNAL_ADOPT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "gort/net/internal/fd.h"

namespace gort::rt {

// What the descriptor is to become.
enum class Adopted : uint8_t { kConn, kListener, kPacket };

// Takes fd over and makes it non-blocking and closed by exec. On an error fd is the caller's, with
// the flags that it had; the text names fd.
absl::StatusOr<NetFd*> AdoptFd(int fd, Adopted as);
// A duplicate that exec closes. fd may be null.
absl::StatusOr<int> DupFd(NetFd* fd);

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_ADOPT_H_
