// gort/net/pipe.h: a connection inside the process.
// What      Pipe gives the two ends of a byte stream in memory, with the calls of Conn: for tests
//           of protocols, and for parts of a program that are written for connections.
// Layer     11. Move-only; an end closes when it is destroyed; calls from anywhere, as Conn's.
// Time      deadlines go by the clock of the caller: in a bubble of testing/ they and the waits are
//           virtual, which those of a Conn are not.
// Errors    as Conn's, "read pipe: i/o timeout" and so on; a write to an end that was closed is
//           kFailedPrecondition "write pipe: Broken pipe".
// Contract  | call        | goroutine | foreign thread | parks | allocates     |
//           | Read, Write |     x     |  blocks it     |   x   | up to the buffer |
//           | Close       |     x     |       x        |   x   |      -        |
//                                                                      Go: net.Pipe
#ifndef GORT_NET_PIPE_H_
#define GORT_NET_PIPE_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gort/context/context.h"

namespace gort {
namespace rt {
class PipeState;
}  // namespace rt

class PipeConn {
 public:
  // No connection: calls fail as after Close.
  PipeConn() = default;
  PipeConn(PipeConn&&) noexcept = default;
  PipeConn& operator=(PipeConn&& other) noexcept;
  ~PipeConn();

  // Each as that of Conn.
  absl::StatusOr<size_t> Read(absl::Span<char> buf);
  absl::StatusOr<size_t> Read(const Context& ctx, absl::Span<char> buf);
  absl::StatusOr<size_t> Write(std::string_view data);
  absl::StatusOr<size_t> Write(const Context& ctx, std::string_view data);
  absl::StatusOr<size_t> Write(std::string_view data, size_t* written);
  absl::StatusOr<size_t> Write(const Context& ctx, std::string_view data, size_t* written);
  absl::Status CloseWrite();
  absl::Status Close();
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
  std::string LocalAddr() const { return "pipe"; }
  std::string RemoteAddr() const { return "pipe"; }

 private:
  PipeConn(std::shared_ptr<rt::PipeState> state, int side)
      : state_(std::move(state)), side_(side) {}
  friend std::pair<PipeConn, PipeConn> Pipe(size_t capacity);

  std::shared_ptr<rt::PipeState> state_;
  int side_ = 0;
};

// Two ends; what is written to one is read from the other. capacity: the bytes of each direction
// that wait to be read; a write of more waits (at least 1).
std::pair<PipeConn, PipeConn> Pipe(size_t capacity = size_t{64} << 10);

}  // namespace gort

#endif  // GORT_NET_PIPE_H_
