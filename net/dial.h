// gort/net/dial.h: making connections.
// What      Dial, with a timeout or a Context, and Dialer for callers that give up several at once.
// Layer     11.
// Addresses "host:port": a name is looked up by the C library, in a goroutine of its own; its
//           addresses are tried in turn, the two families by turns, each begun when the one before
//           has failed or has taken attempt_delay; the first that answers is the connection, and
//           the others are closed before Dial returns (RFC 8305).
//           "localhost:http" works, too. Answers to look-ups are kept for a moment: SetLookupCache. A unix socket has a path, or "@name".
// Errors    kInvalidArgument: the words cannot be understood; kNotFound: no such name;
//           kDeadlineExceeded: the timeout, or a context's; kCancelled "context canceled";
//           kCancelled "use of closed network connection": Close; else the first address's: "dial
//           tcp 127.0.0.1:1: connect: Connection refused".
// Contract  | call  | goroutine | foreign thread | parks | allocates |
//           | Dial  |     x     |   blocks it    |   x   |     x     |
//           | Close |     x     |       x        |   x   |     -     |
//                                                       Go: net.Dial, net.Dialer (dial.go)
#ifndef GORT_NET_DIAL_H_
#define GORT_NET_DIAL_H_

#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gort/context/context.h"
#include "gort/net/conn.h"
#include "gort/timer/sleep.h"

namespace gort {

// Networks: "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix". Go: Dial, DialTimeout
absl::StatusOr<Conn> Dial(std::string_view network, std::string_view address,
                          absl::Duration timeout = absl::InfiniteDuration());
template <class Rep, class Period>
absl::StatusOr<Conn> Dial(std::string_view network, std::string_view address,
                          std::chrono::duration<Rep, Period> timeout) {
  const int64_t ns = rt::SaturatedNanoseconds(timeout);
  return Dial(network, address, ns == INT64_MAX ? absl::InfiniteDuration() : absl::Nanoseconds(ns));
}

struct DialOptions {
  absl::Duration timeout = absl::InfiniteDuration();
  absl::Duration keep_alive = absl::Seconds(15);  // of TCP connections: Conn::SetKeepAlive
  // TCP: how long an address is waited for before the next is tried beside it. Infinite: one after
  // the other, each with its share of the time that is left.
  absl::Duration attempt_delay = absl::Milliseconds(250);
  // Called with each new socket before it is connected, for options that gort has no name for; an
  // error ends the attempt. Several may run at once.
  std::function<absl::Status(int fd)> control = {};
};

// Ends with ctx as well: kCancelled or kDeadlineExceeded, "dial tcp HOST:PORT: context canceled".
// Go: Dialer.DialContext
absl::StatusOr<Conn> Dial(const Context& ctx, std::string_view network, std::string_view address,
                          const DialOptions& options = {});

// How long an answer to a look-up serves those who ask the same: the addresses of a name, and that
// there is no such name. At first 5 seconds and 1; zero or less: each Dial and Listen asks anew. What
// was kept is dropped. For the whole process, in real time, from any thread.
void SetLookupCache(absl::Duration found, absl::Duration missing);
template <class Rep, class Period, class Rep2, class Period2>
void SetLookupCache(std::chrono::duration<Rep, Period> found,
                    std::chrono::duration<Rep2, Period2> missing) {
  SetLookupCache(rt::SaturatedDuration(found), rt::SaturatedDuration(missing));
}

// Any number of goroutines and threads may dial at once. The Dialer must outlive their calls.
class Dialer {
 public:
  explicit Dialer(const DialOptions& options = {});

  absl::StatusOr<Conn> Dial(std::string_view network, std::string_view address);
  // Ends every Dial in progress and later ones; connections that were made stay. Again is harmless.
  void Close();

 private:
  const DialOptions options_;
  std::pair<Context, CancelFunc> open_;
};

}  // namespace gort

#endif  // GORT_NET_DIAL_H_
