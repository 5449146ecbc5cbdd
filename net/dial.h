// gort/net/dial.h: making connections.
// What      Dial, and Dialer for callers that want options or give up from outside.
// Layer     11.
// Addresses "host:port": a name is looked up by the C library, in a goroutine of its own; its
//           addresses are tried in turn, each with its share of the time that is left.
//           "localhost:http" works, too. A unix socket has a path, or "@name".
// Errors    kInvalidArgument: the words cannot be understood; kNotFound: no such name;
//           kDeadlineExceeded: the timeout; kCancelled "use of closed network connection": Close;
//           else the first address's: "dial tcp 127.0.0.1:1: connect: Connection refused".
// Contract  | call  | goroutine | foreign thread | parks | allocates |
//           | Dial  |     x     |   blocks it    |   x   |     x     |
//           | Close |     x     |       x        |   x   |     -     |
//                                                       Go: net.Dial, net.Dialer (dial.go)
#ifndef GORT_NET_DIAL_H_
#define GORT_NET_DIAL_H_

#include <chrono>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
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
};

// Any number of goroutines and threads may dial at once. The Dialer must outlive their calls.
class Dialer {
 public:
  explicit Dialer(const DialOptions& options = {});
  ~Dialer();

  absl::StatusOr<Conn> Dial(std::string_view network, std::string_view address);
  // Ends every Dial in progress and later ones; connections that were made stay. Again is harmless.
  void Close();

 private:
  struct State;
  class Attempt;
  const std::unique_ptr<State> state_;
};

}  // namespace gort

#endif  // GORT_NET_DIAL_H_
