#include "gort/net/conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "gort/net/internal/adopt.h"
#include "gort/net/internal/fd.h"
#include "gort/net/internal/options.h"
#include "gort/netpoll/internal/poller.h"

namespace gort {

using rt::NoConnection;

absl::StatusOr<size_t> Conn::Read(absl::Span<char> buf) {
  return fd_.get() != nullptr ? fd_.get()->Read(buf) : NoConnection("read");
}

absl::StatusOr<size_t> Conn::Read(const Context& ctx, absl::Span<char> buf) {
  return fd_.get() != nullptr ? fd_.get()->Read(buf, &ctx) : NoConnection("read");
}

absl::StatusOr<size_t> Conn::Write(std::string_view data) {
  return fd_.get() != nullptr ? fd_.get()->Write(data) : NoConnection("write");
}
absl::StatusOr<size_t> Conn::Write(const Context& ctx, std::string_view data) {
  return fd_.get() != nullptr ? fd_.get()->Write(data, &ctx) : NoConnection("write");
}

absl::StatusOr<size_t> Conn::Write(std::string_view data, size_t* written) {
  *written = 0;
  return fd_.get() != nullptr ? fd_.get()->Write(data, nullptr, written) : NoConnection("write");
}
absl::StatusOr<size_t> Conn::Write(const Context& ctx, std::string_view data, size_t* written) {
  *written = 0;
  return fd_.get() != nullptr ? fd_.get()->Write(data, &ctx, written) : NoConnection("write");
}

absl::StatusOr<size_t> Conn::Writev(absl::Span<const std::string_view> pieces) {
  return fd_.get() != nullptr ? fd_.get()->Writev(pieces) : NoConnection("writev");
}
absl::StatusOr<size_t> Conn::Writev(absl::Span<const std::string_view> pieces, size_t* written) {
  *written = 0;
  return fd_.get() != nullptr ? fd_.get()->Writev(pieces, written) : NoConnection("writev");
}

absl::StatusOr<Conn> Conn::FromFd(int fd) {
  absl::StatusOr<rt::NetFd*> made = rt::AdoptFd(fd, rt::Adopted::kConn);
  if (!made.ok()) return made.status();
  rt::SetTcpDefaults(*made);
  return Conn(rt::FdHandle(*made));
}

absl::Status Conn::Lend(absl::FunctionRef<absl::Status(int fd)> f) {
  return fd_.get() != nullptr ? fd_.get()->Lend(f, "lend") : NoConnection("lend");
}

absl::StatusOr<int> Conn::Release() {
  if (fd_.get() == nullptr) return NoConnection("release");
  return fd_.get()->Release();
}

absl::StatusOr<int> Conn::Dup() { return rt::DupFd(fd_.get()); }

absl::Status Conn::CloseWrite() {
  return fd_.get() != nullptr ? fd_.get()->Shutdown(SHUT_WR) : NoConnection("close");
}

absl::Status Conn::CloseRead() {
  return fd_.get() != nullptr ? fd_.get()->Shutdown(SHUT_RD) : NoConnection("close");
}

absl::Status Conn::Close() {
  return fd_.get() != nullptr ? fd_.get()->Close() : NoConnection("close");
}

absl::Status Conn::SetDeadline(absl::Time t) {
  return rt::SetFdDeadline(fd_.get(), t, rt::kPollRead | rt::kPollWrite);
}
absl::Status Conn::SetReadDeadline(absl::Time t) {
  return rt::SetFdDeadline(fd_.get(), t, rt::kPollRead);
}
absl::Status Conn::SetWriteDeadline(absl::Time t) {
  return rt::SetFdDeadline(fd_.get(), t, rt::kPollWrite);
}

absl::Status Conn::SetNoDelay(bool no_delay) {
  return rt::SetFdInt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, no_delay, "TCP_NODELAY");
}
absl::Status Conn::SetKeepAlive(absl::Duration idle) { return rt::SetFdKeepAlive(fd_.get(), idle); }
absl::Status Conn::SetReadBuffer(int bytes) {
  return rt::SetFdInt(fd_.get(), SOL_SOCKET, SO_RCVBUF, bytes, "SO_RCVBUF");
}
absl::Status Conn::SetWriteBuffer(int bytes) {
  return rt::SetFdInt(fd_.get(), SOL_SOCKET, SO_SNDBUF, bytes, "SO_SNDBUF");
}

absl::Status Conn::SetLinger(int seconds) {
  if (fd_.get() == nullptr) return NoConnection("set");
  const linger value{seconds >= 0, seconds >= 0 ? seconds : 0};
  return fd_.get()->SetOption(SOL_SOCKET, SO_LINGER, &value, sizeof value, "SO_LINGER");
}

std::string Conn::LocalAddr() const {
  return fd_.get() != nullptr ? fd_.get()->local().ToString() : "";
}
std::string Conn::RemoteAddr() const {
  return fd_.get() != nullptr ? fd_.get()->remote().ToString() : "";
}

}  // namespace gort
