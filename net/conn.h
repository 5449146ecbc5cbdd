// gort/net/conn.h: a connection.
// What      Conn: a byte stream (TCP, unix), or a connected UDP socket, whose Read and Write are
//           datagrams.
// Layer     11. Move-only; closes when it is destroyed. Each method may be called from any
//           goroutine or foreign thread at any time, except that nobody may begin a call on an
//           object that is being destroyed or moved. Reads wait for each other in turn, so do
//           writes.
// Errors    kDeadlineExceeded "… i/o timeout"; kCancelled (a call that Close ended) and
//           kFailedPrecondition (a call after Close), both "… use of closed network connection";
//           what the kernel says, with absl's code for it, as "read tcp HERE->THERE: <text>".
// Deadlines absolute. Infinite future: none. A deadline in the past ends every call at once, those
//           that wait already included. A deadline stays until it is set anew.
// Contract  | call        | goroutine | foreign thread | parks | allocates   |
//           | Read, Write |     x     |  blocks it     |   x   | on an error |
//           | Close       |     x     |       x        |   x   |      -      |
//           | the others  |     x     |       x        |   -   |  text       |
//                                                                      Go: net.Conn
#ifndef GORT_NET_CONN_H_
#define GORT_NET_CONN_H_

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gort/net/addr.h"
#include "gort/net/internal/fd.h"

namespace gort {

class Conn {
 public:
  // No connection: calls fail as after Close.
  Conn() = default;

  // At most buf.size() bytes as soon as there are any; 0: the other side has ended its stream, or
  // buf is empty. Go: Conn.Read
  absl::StatusOr<size_t> Read(absl::Span<char> buf);
  // All of data, or an error, after which an unknown part has gone. Go: Conn.Write
  absl::StatusOr<size_t> Write(std::string_view data);
  // The pieces one after the other, in one system call where the kernel takes them. Go: Buffers
  absl::StatusOr<size_t> Writev(absl::Span<const std::string_view> pieces);

  // CloseWrite ends the stream to the other side, whose reads then find its end; CloseRead ends the
  // reads of this side. Go: CloseWrite, CloseRead
  absl::Status CloseWrite();
  absl::Status CloseRead();
  // Ends calls in progress, then closes; a second time is an error. Go: Conn.Close
  absl::Status Close();

  // Go: SetDeadline, SetReadDeadline, SetWriteDeadline
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

  // TCP only. Without delay (the default) small writes go out at once. Go: SetNoDelay
  absl::Status SetNoDelay(bool no_delay);
  // Probes an idle peer after `idle` and then as often; zero or less: off. Go: SetKeepAlive…
  absl::Status SetKeepAlive(absl::Duration idle);
  // seconds == 0: Close drops what was not sent yet and resets the connection. seconds < 0: the
  // kernel sends the rest after Close (the default). seconds > 0: Close may wait so long for the
  // kernel to send it. Go: SetLinger
  absl::Status SetLinger(int seconds);
  // Sizes of the kernel's buffers in bytes. Go: SetReadBuffer, SetWriteBuffer
  absl::Status SetReadBuffer(int bytes);
  absl::Status SetWriteBuffer(int bytes);

  // "127.0.0.1:43121"; also after Close; "" for a unix socket without a name. Go: LocalAddr
  std::string LocalAddr() const;
  std::string RemoteAddr() const;

  // From net's own.
  explicit Conn(rt::FdHandle fd) : fd_(std::move(fd)) {}

 private:
  rt::FdHandle fd_;
};

}  // namespace gort

#endif  // GORT_NET_CONN_H_
