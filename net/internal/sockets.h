// net/internal/sockets.h: making sockets that are bound to an address.
// Layer     11, used by net only.             Go: sock_posix.go, sockopt_linux.go
#ifndef GORT_NET_INTERNAL_SOCKETS_H_
#define GORT_NET_INTERNAL_SOCKETS_H_

#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "gort/net/addr.h"
#include "gort/net/internal/fd.h"
#include "gort/net/internal/resolve.h"

namespace gort::rt {

// A socket for network's type bound to the first of the addresses that `address` stands for; a
// wildcard of no family in particular serves both. setup(fd) comes before bind, listen (backlog >
// 0) after it. Go: internetSocket, listenStream, listenDatagram
absl::StatusOr<NetFd*> BoundSocket(const Network& network, std::string_view address, int backlog,
                                   absl::FunctionRef<absl::Status(int fd)> setup);

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_SOCKETS_H_
