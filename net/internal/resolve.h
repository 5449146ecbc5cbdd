// net/internal/resolve.h: from the words of Listen and Dial to socket addresses.
// What      ParseNetwork knows the networks' names; Resolve turns "host:port" into addresses. Names
//           of hosts and services go to the C library (lookup.h), and the caller may give up.
// Layer     11, used by net only.                     Go: lookup.go, ipsock.go
#ifndef GORT_NET_INTERNAL_RESOLVE_H_
#define GORT_NET_INTERNAL_RESOLVE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gort/net/addr.h"
#include "gort/net/internal/lookup.h"

namespace gort::rt {

struct Network {
  const char* name;  // as the user wrote it; lives for ever
  int type;          // SOCK_STREAM, SOCK_DGRAM
  int family;        // AF_UNSPEC: IPv4 or IPv6; AF_INET, AF_INET6, AF_UNIX
};
// "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix". kInvalidArgument: <op>: unknown network "x"
absl::StatusOr<Network> ParseNetwork(const char* op, std::string_view name);

// The addresses that `address` ("host:port", or the path of a unix socket) stands for, at least
// one. An empty host is the wildcard when passive, else the loopback. when: deadline of a look-up,
// as of PollSetDeadline; watcher may be null. Errors begin with op.
absl::StatusOr<std::vector<SocketAddr>> Resolve(const char* op, const Network& network,
                                                std::string_view address, bool passive,
                                                int64_t when, Watcher* watcher);

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_RESOLVE_H_
