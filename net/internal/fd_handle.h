// net/internal/fd_handle.h: what Conn, Listener and PacketConn show of their socket.
// What      the pointer that they hold, so that users compile nothing of NetFd (fd.h).
// Layer     11, used by net only.
#ifndef GORT_NET_INTERNAL_FD_HANDLE_H_
#define GORT_NET_INTERNAL_FD_HANDLE_H_

#include <type_traits>
#include <utility>

#include "absl/status/status.h"

namespace gort::rt {

class NetFd;

// Ends a handle: closes the descriptor, if that was not done yet, and gives up the handle's share.
void DropFd(NetFd* fd);

// The owner's end of a NetFd; null after a move.
class FdHandle {
 public:
  FdHandle() = default;
  explicit FdHandle(NetFd* fd) : fd_(fd) {}
  FdHandle(FdHandle&& o) noexcept : fd_(std::exchange(o.fd_, nullptr)) {}
  FdHandle& operator=(FdHandle&& o) noexcept {
    if (this != &o) {
      FdHandle old(std::exchange(fd_, std::exchange(o.fd_, nullptr)));
    }
    return *this;
  }
  ~FdHandle() {
    if (fd_ != nullptr) DropFd(fd_);
  }
  // Null only before the first value and after a move.
  NetFd* get() const { return fd_; }

 private:
  NetFd* fd_ = nullptr;
};

// f(fd) as a status: ok when it returns nothing.
template <class F>
absl::Status StatusOf(F& f, int fd) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&, int>>) {
    f(fd);
    return absl::OkStatus();
  } else {
    return f(fd);
  }
}

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_FD_HANDLE_H_
