// net/internal/dial_race.h: connecting to one of several addresses.
// What      ConnectAny tries addresses one beside the other, each a moment after the one before,
//           until one answers (RFC 8305, "Happy Eyeballs").
// Layer     11, used by net only.                       Go: dialParallel, dialSerial (dial.go)
#ifndef GORT_NET_INTERNAL_DIAL_RACE_H_
#define GORT_NET_INTERNAL_DIAL_RACE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "gort/context/context.h"
#include "gort/net/addr.h"
#include "gort/net/conn.h"

namespace gort::rt {

// Connects to one address. It gives up when ctx ends, or at `when` (as of PollSetDeadline).
using ConnectFn = absl::FunctionRef<absl::StatusOr<Conn>(const Context& ctx, const SocketAddr& addr,
                                                         int64_t when)>;

// Begins with the next address when one fails, or has taken delay_ns, which is real time. The first
// connection wins; when this returns, no attempt is under way any more and the others are closed.
// Otherwise the first address's error. addrs: at least one.
absl::StatusOr<Conn> ConnectAny(const Context& ctx, const std::vector<SocketAddr>& addrs,
                                int64_t when, int64_t delay_ns, ConnectFn connect);

// The same, one after the other, each with its share of the time that is left.
absl::StatusOr<Conn> ConnectInTurn(const Context& ctx, const std::vector<SocketAddr>& addrs,
                                   int64_t when, ConnectFn connect);

// The families by turns, beginning with that of the first; the order within each stays.
std::vector<SocketAddr> Interleaved(const std::vector<SocketAddr>& addrs);

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_DIAL_RACE_H_
