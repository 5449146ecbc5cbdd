#include "gort/net/packet.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "gort/net/internal/adopt.h"
#include "gort/net/internal/fd.h"
#include "gort/net/internal/options.h"
#include "gort/net/internal/resolve.h"
#include "gort/net/internal/sockets.h"
#include "gort/net/internal/syscalls.h"
#include "gort/netpoll/internal/poller.h"

namespace gort {

using rt::NoConnection;

absl::StatusOr<PacketConn> ListenPacket(std::string_view network, std::string_view address,
                                        const PacketOptions& options) {
  absl::StatusOr<rt::Network> kind = rt::ParseNetwork("listen", network);
  if (!kind.ok()) return kind.status();
  if (kind->type != SOCK_DGRAM) {
    return absl::InvalidArgumentError("listen: network " + rt::Quoted(network) +
                                      " has no datagrams; use Listen");
  }
  absl::StatusOr<rt::NetFd*> fd =
      rt::BoundSocket(*kind, address, 0, [&](int sysfd) -> absl::Status {
        int error = rt::SysSetInt(sysfd, SOL_SOCKET, SO_BROADCAST, 1);
        if (error == 0 && options.reuse_port) {
          error = rt::SysSetInt(sysfd, SOL_SOCKET, SO_REUSEPORT, 1);
        }
        if (error != 0) {
          return rt::OpError("listen", network, std::string(address), "setsockopt", error);
        }
        return options.control ? options.control(sysfd) : absl::OkStatus();
      });
  if (!fd.ok()) return fd.status();
  return PacketConn(rt::FdHandle(*fd));
}

namespace {

absl::StatusOr<Datagram> ReadOne(rt::NetFd* fd, absl::Span<char> buf, const Context* ctx) {
  if (fd == nullptr) return NoConnection("read");
  absl::StatusOr<rt::Received> got = fd->ReadFrom(buf, ctx);
  if (!got.ok()) return got.status();
  return Datagram{got->size, got->from, got->truncated};
}

}  // namespace

absl::StatusOr<Datagram> PacketConn::ReadFrom(absl::Span<char> buf) {
  return ReadOne(fd_.get(), buf, nullptr);
}
absl::StatusOr<Datagram> PacketConn::ReadFrom(const Context& ctx, absl::Span<char> buf) {
  return ReadOne(fd_.get(), buf, &ctx);
}

absl::StatusOr<size_t> PacketConn::WriteTo(std::string_view data, const SocketAddr& to) {
  if (fd_.get() == nullptr) return NoConnection("write");
  // A socket for both families takes IPv6 addresses; an IPv4 address goes in as ::ffff:a.b.c.d.
  if (to.family() == AF_INET && fd_.get()->local().family() == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(to.raw());
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = in->sin_port;
    in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
    const auto* bytes = reinterpret_cast<const unsigned char*>(&in->sin_addr);
    for (int i = 0; i < 4; ++i) in6.sin6_addr.s6_addr[12 + i] = bytes[i];
    return fd_.get()->WriteTo(data, SocketAddr(reinterpret_cast<sockaddr*>(&in6), sizeof in6));
  }
  return fd_.get()->WriteTo(data, to);
}

absl::StatusOr<size_t> PacketConn::WriteTo(std::string_view data, std::string_view to) {
  absl::StatusOr<SocketAddr> addr = SocketAddr::Parse(to);
  if (!addr.ok()) return addr.status();
  return WriteTo(data, *addr);
}

absl::Status PacketConn::SetDeadline(absl::Time t) {
  return rt::SetFdDeadline(fd_.get(), t, rt::kPollRead | rt::kPollWrite);
}
absl::Status PacketConn::SetReadDeadline(absl::Time t) {
  return rt::SetFdDeadline(fd_.get(), t, rt::kPollRead);
}
absl::Status PacketConn::SetWriteDeadline(absl::Time t) {
  return rt::SetFdDeadline(fd_.get(), t, rt::kPollWrite);
}
absl::Status PacketConn::SetReadBuffer(int bytes) {
  return rt::SetFdInt(fd_.get(), SOL_SOCKET, SO_RCVBUF, bytes, "SO_RCVBUF");
}
absl::Status PacketConn::SetWriteBuffer(int bytes) {
  return rt::SetFdInt(fd_.get(), SOL_SOCKET, SO_SNDBUF, bytes, "SO_SNDBUF");
}

std::string PacketConn::LocalAddr() const {
  return fd_.get() != nullptr ? fd_.get()->local().ToString() : "";
}

absl::Status PacketConn::Close() {
  return fd_.get() != nullptr ? fd_.get()->Close() : NoConnection("close");
}

absl::StatusOr<PacketConn> PacketConn::FromFd(int fd) {
  absl::StatusOr<rt::NetFd*> made = rt::AdoptFd(fd, rt::Adopted::kPacket);
  if (!made.ok()) return made.status();
  return PacketConn(rt::FdHandle(*made));
}

absl::Status PacketConn::Lend(absl::FunctionRef<absl::Status(int fd)> f) {
  return fd_.get() != nullptr ? fd_.get()->Lend(f, "lend") : rt::NoConnection("lend");
}

absl::StatusOr<int> PacketConn::Release() {
  if (fd_.get() == nullptr) return rt::NoConnection("release");
  return fd_.get()->Release();
}

absl::StatusOr<int> PacketConn::Dup() { return rt::DupFd(fd_.get()); }

}  // namespace gort
