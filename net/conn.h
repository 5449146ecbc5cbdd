// gort/net/conn.h: a connection.
// What      Conn: a byte stream (TCP, unix), or a connected UDP socket, whose Read and Write are
//           datagrams. FromFd makes one of a descriptor: those, and pipes, FIFOs and ttys.
// Layer     11. Move-only; closes when it is destroyed. Each method may be called from any
//           goroutine or foreign thread at any time, except that nobody may begin a call on an
//           object that is being destroyed or moved. Reads wait for each other in turn, so do
//           writes.
// Errors    kDeadlineExceeded "… i/o timeout"; kCancelled (a call that Close ended) and
//           kFailedPrecondition (a call after Close), both "… use of closed network connection";
//           what the kernel says, with absl's code for it, as "read tcp HERE->THERE: <text>".
// Deadlines absolute. Infinite future: none. A deadline in the past ends every call at once, those
//           that wait already included. A deadline stays until it is set anew.
// Contexts  a call with a Context ends when the context does, with the code and text of its Err(),
//           and so does its wait alone: other calls and later ones go on, and nothing that was read
//           is lost. A context that is over ends the call at once, also when there are bytes to
//           read.
// Contract  | call           | goroutine | foreign thread | parks | allocates   |
//           | Read, Write    |     x     |  blocks it     |   x   | on an error |
//           | Close, Release |     x     |       x        |   x   |      -      |
//           | the others     |     x     |       x        |   -   |  text       |
//                                                                      Go: net.Conn
#ifndef GORT_NET_CONN_H_
#define GORT_NET_CONN_H_

#include <chrono>
#include <cstddef>
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
#include "gort/timer/sleep.h"

namespace gort {

class Conn {
 public:
  // No connection: calls fail as after Close.
  Conn() = default;

  // Takes fd over: a connected socket, a pipe, a FIFO, a tty, or whatever else epoll takes; it is
  // made non-blocking, for everybody who shares the open file (another process, after dup), and one of
  // TCP without delay and with probes every 15 seconds, as one that was dialled. On an
  // error fd stays the caller's, as it was: kInvalidArgument names what is wrong with it
  // ("descriptor 7 is a listening socket; use Listener::FromFd"). Go: net.FileConn, os.NewFile
  static absl::StatusOr<Conn> FromFd(int fd);

  // At most buf.size() bytes as soon as there are any; 0: the other side has ended its stream, or
  // buf is empty, or, of datagrams, one without content has come. Go: Conn.Read
  absl::StatusOr<size_t> Read(absl::Span<char> buf);
  absl::StatusOr<size_t> Read(const Context& ctx, absl::Span<char> buf);
  // All of data, or an error, after which an unknown part has gone. Go: Conn.Write
  absl::StatusOr<size_t> Write(std::string_view data);
  absl::StatusOr<size_t> Write(const Context& ctx, std::string_view data);
  // The same; *written: the bytes that the kernel has taken, also when this fails.
  absl::StatusOr<size_t> Write(std::string_view data, size_t* written);
  absl::StatusOr<size_t> Write(const Context& ctx, std::string_view data, size_t* written);
  // The pieces one after the other, in one system call where the kernel takes them. Go: Buffers
  absl::StatusOr<size_t> Writev(absl::Span<const std::string_view> pieces);
  absl::StatusOr<size_t> Writev(absl::Span<const std::string_view> pieces, size_t* written);

  // CloseWrite ends the stream to the other side, whose reads then find its end; CloseRead ends the
  // reads of this side. Go: CloseWrite, CloseRead
  absl::Status CloseWrite();
  absl::Status CloseRead();
  // Ends calls in progress, then closes; a second time is an error. Go: Conn.Close
  absl::Status Close();

  // Calls f(fd) with the descriptor, which stays open until f returns: Close waits for that. f must
  // not close it, nor make it block. The status is f's, or ok if f returns none;
  // kFailedPrecondition: the connection is closed, and f is not called. Go: SyscallConn().Control
  template <class F>
  requires std::is_invocable_v<F&, int> absl::Status WithFd(F&& f) {
    return Lend([&f](int fd) { return rt::StatusOf(f, fd); });
  }
  // Ends calls in progress as Close does, and gives the descriptor out, open and non-blocking: it
  // is the caller's. This object is as after Close.
  absl::StatusOr<int> Release();
  // A second descriptor of the same open file, which exec closes; it is the caller's.
  // Go: (*netFD).dup
  absl::StatusOr<int> Dup();

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
  template <class Rep, class Period>
  absl::Status SetKeepAlive(std::chrono::duration<Rep, Period> idle) {
    return SetKeepAlive(rt::SaturatedDuration(idle));
  }
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
  absl::Status Lend(absl::FunctionRef<absl::Status(int fd)> f);

  rt::FdHandle fd_;
};

}  // namespace gort

#endif  // GORT_NET_CONN_H_
