// gort/net/listen.h: accepting connections.
// What      Listen and Listener.
// Layer     11. Move-only; closes when it is destroyed; calls from anywhere, as Conn's.
// Networks  "tcp": IPv4 and IPv6 at once when the address has no host (":80") or "[::]", else what
//           the host is; "tcp4", "tcp6": that alone; "unix": a path, or "@name" outside the file
//           system. The socket's file is removed by Close. Port 0 picks a free one: see Addr.
// Errors    of Accept: kResourceExhausted "… Too many open files" when the process or the kernel
//           has no descriptor or memory: the listener stays usable, the connection stays queued,
//           and Accept has paused before it returned, from 5 ms on to a second if that goes on, so
//           that a loop which tries again may do so at once. Others as of Conn.
// Contract  | call   | goroutine | foreign thread | parks | allocates |
//           | Listen |     x     |       x        |   x   |     x     |
//           | Accept |     x     |   blocks it    |   x   |     x     |
//           | Close  |     x     |       x        |   x   |     -     |
//                                                          Go: net.Listen, net.Listener
#ifndef GORT_NET_LISTEN_H_
#define GORT_NET_LISTEN_H_

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gort/net/conn.h"
#include "gort/net/internal/fd_handle.h"

namespace gort {

class Listener {
 public:
  Listener() = default;

  // Takes fd over: a socket that listens, inherited from another process for one. As Conn::FromFd;
  // those options are what the connections begin with.
  // Close does not remove the file of a unix socket that came this way. Go: net.FileListener
  static absl::StatusOr<Listener> FromFd(int fd);

  // The next connection. Go: Accept
  absl::StatusOr<Conn> Accept();
  // Ends with ctx, too, as Conn::Read does.
  absl::StatusOr<Conn> Accept(const Context& ctx);
  // "127.0.0.1:43121", "[::]:80", "/run/x.sock". Go: Addr
  std::string Addr() const;
  // For Accept. Go: SetDeadline
  absl::Status SetDeadline(absl::Time t);
  absl::Status SetDeadline(std::chrono::system_clock::time_point t) {
    return SetDeadline(absl::FromChrono(t));
  }
  // Ends Accepts in progress; connections that were accepted stay. Go: Close
  absl::Status Close();

  // As of Conn. A unix socket whose listener was released keeps its file.
  template <class F>
  requires std::is_invocable_v<F&, int> absl::Status WithFd(F&& f) {
    return Lend([&f](int fd) { return rt::StatusOf(f, fd); });
  }
  absl::StatusOr<int> Release();
  absl::StatusOr<int> Dup();

  // From net's own.
  explicit Listener(rt::FdHandle fd) : fd_(std::move(fd)) {}

 private:
  absl::Status Lend(absl::FunctionRef<absl::Status(int fd)> f);

  rt::FdHandle fd_;
};

struct ListenOptions {
  bool reuse_port = false;  // several listeners of one port share its connections (SO_REUSEPORT)
  int backlog = 0;          // connections that wait for Accept; 0: as many as the kernel allows
  absl::Duration keep_alive = absl::Seconds(15);  // of connections: Conn::SetKeepAlive
  // Called with the new socket before it is bound, for options that gort has no name for; an error
  // ends Listen.
  std::function<absl::Status(int fd)> control;
};

// A listener; kInvalidArgument: the address or network cannot be understood; else what the kernel
// says: "listen tcp 127.0.0.1:80: bind: Address already in use". Go: Listen
absl::StatusOr<Listener> Listen(std::string_view network, std::string_view address);
// Go: ListenConfig.Listen
absl::StatusOr<Listener> Listen(std::string_view network, std::string_view address,
                                const ListenOptions& options);

}  // namespace gort

#endif  // GORT_NET_LISTEN_H_
