// gort/net/packet.h: datagrams.
// What      ListenPacket and PacketConn: UDP without a connection. (Dial("udp", …) gives a Conn.)
// Layer     11. Move-only; closes when it is destroyed; calls, deadlines, errors as Conn's.
// Contract  | call              | goroutine | foreign thread | parks | allocates   |
//           | ReadFrom, WriteTo |     x     |   blocks it    |   x   | on an error |
//                                                     Go: net.ListenPacket, net.PacketConn
#ifndef GORT_NET_PACKET_H_
#define GORT_NET_PACKET_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gort/context/context.h"
#include "gort/net/addr.h"
#include "gort/net/internal/fd_handle.h"

namespace gort {

struct Datagram {
  size_t size = 0;         // bytes in the buffer
  SocketAddr from;         // who sent it
  bool truncated = false;  // the datagram was longer than the buffer; the rest is lost
};

class PacketConn {
 public:
  PacketConn() = default;

  // Takes fd over: a UDP socket. As Conn::FromFd. Go: net.FilePacketConn
  static absl::StatusOr<PacketConn> FromFd(int fd);

  // The next datagram; a size of 0 is one without content. Go: ReadFrom
  absl::StatusOr<Datagram> ReadFrom(absl::Span<char> buf);
  absl::StatusOr<Datagram> ReadFrom(const Context& ctx, absl::Span<char> buf);
  // One datagram. kInvalidArgument when `to` is text that is no numeric address. Go: WriteTo
  absl::StatusOr<size_t> WriteTo(std::string_view data, const SocketAddr& to);
  absl::StatusOr<size_t> WriteTo(std::string_view data, std::string_view to);

  absl::Status SetDeadline(absl::Time t);
  absl::Status SetReadDeadline(absl::Time t);
  absl::Status SetWriteDeadline(absl::Time t);
  absl::Status SetDeadline(std::chrono::system_clock::time_point t) {
    return SetDeadline(absl::FromChrono(t));
  }
  absl::Status SetReadDeadline(std::chrono::system_clock::time_point t) {
    return SetReadDeadline(absl::FromChrono(t));
  }
  absl::Status SetWriteDeadline(std::chrono::system_clock::time_point t) {
    return SetWriteDeadline(absl::FromChrono(t));
  }
  absl::Status SetReadBuffer(int bytes);
  absl::Status SetWriteBuffer(int bytes);
  std::string LocalAddr() const;
  absl::Status Close();

  // As of Conn.
  template <class F>
  requires std::is_invocable_v<F&, int> absl::Status WithFd(F&& f) {
    return Lend([&f](int fd) { return rt::StatusOf(f, fd); });
  }
  absl::StatusOr<int> Release();
  absl::StatusOr<int> Dup();

  // From net's own.
  explicit PacketConn(rt::FdHandle fd) : fd_(std::move(fd)) {}

 private:
  absl::Status Lend(absl::FunctionRef<absl::Status(int fd)> f);

  rt::FdHandle fd_;
};

struct PacketOptions {
  bool reuse_port = false;  // SO_REUSEPORT
  // As ListenOptions::control.
  std::function<absl::Status(int fd)> control;
};

// network: "udp", "udp4", "udp6"; address as of Listen. Go: ListenPacket
absl::StatusOr<PacketConn> ListenPacket(std::string_view network, std::string_view address,
                                        const PacketOptions& options = {});

}  // namespace gort

#endif  // GORT_NET_PACKET_H_
