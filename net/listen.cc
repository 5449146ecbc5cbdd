#include "gort/net/listen.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "gort/net/internal/adopt.h"
#include "gort/net/internal/fd.h"
#include "gort/net/internal/options.h"
#include "gort/net/internal/resolve.h"
#include "gort/net/internal/sockets.h"
#include "gort/net/internal/syscalls.h"
#include "gort/netpoll/internal/poller.h"

namespace gort {
namespace {

constexpr int kMostBacklog = 65535;  // the kernel cuts it to net.core.somaxconn

}  // namespace

absl::StatusOr<Listener> Listen(std::string_view network, std::string_view address) {
  return Listen(network, address, ListenOptions());
}

absl::StatusOr<Listener> Listen(std::string_view network, std::string_view address,
                                const ListenOptions& options) {
  absl::StatusOr<rt::Network> kind = rt::ParseNetwork("listen", network);
  if (!kind.ok()) return kind.status();
  if (kind->type != SOCK_STREAM) {
    return absl::InvalidArgumentError("listen: network " + rt::Quoted(network) +
                                      " has no connections; use ListenPacket");
  }
  const bool tcp = kind->family != AF_UNIX;
  const int backlog = options.backlog > 0 ? std::min(options.backlog, kMostBacklog) : kMostBacklog;
  absl::StatusOr<rt::NetFd*> fd =
      rt::BoundSocket(*kind, address, backlog, [&](int sysfd) -> absl::Status {
        int error = 0;
        if (options.reuse_port) error = rt::SysSetInt(sysfd, SOL_SOCKET, SO_REUSEPORT, 1);
        // Connections inherit it from the listener, which saves a system call for each.
        if (error == 0 && tcp) error = rt::SysSetInt(sysfd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (error != 0) {
          return rt::OpError("listen", network, std::string(address), "setsockopt", error);
        }
        return options.control ? options.control(sysfd) : absl::OkStatus();
      });
  if (!fd.ok()) return fd.status();
  rt::FdHandle handle(*fd);
  if (!tcp && !address.empty() && address[0] != '@') {
    (*fd)->set_unlink_path(std::string(address));
  }
  if (tcp && options.keep_alive > absl::ZeroDuration()) {
    // Connections inherit this, too.
    if (absl::Status s = rt::SetFdKeepAlive(*fd, options.keep_alive); !s.ok()) return s;
  }
  return Listener(std::move(handle));
}

namespace {

absl::StatusOr<Conn> AcceptOn(rt::NetFd* listener, const Context* ctx) {
  if (listener == nullptr) return rt::NoConnection("accept");
  absl::StatusOr<rt::NetFd*> fd = listener->Accept(ctx);
  if (!fd.ok()) return fd.status();
  return Conn(rt::FdHandle(*fd));
}

}  // namespace

absl::StatusOr<Conn> Listener::Accept() { return AcceptOn(fd_.get(), nullptr); }
absl::StatusOr<Conn> Listener::Accept(const Context& ctx) { return AcceptOn(fd_.get(), &ctx); }

std::string Listener::Addr() const {
  return fd_.get() != nullptr ? fd_.get()->local().ToString() : "";
}

absl::Status Listener::SetDeadline(absl::Time t) {
  return rt::SetFdDeadline(fd_.get(), t, rt::kPollRead);
}

absl::Status Listener::Close() {
  return fd_.get() != nullptr ? fd_.get()->Close() : rt::NoConnection("close");
}

absl::StatusOr<Listener> Listener::FromFd(int fd) {
  absl::StatusOr<rt::NetFd*> made = rt::AdoptFd(fd, rt::Adopted::kListener);
  if (!made.ok()) return made.status();
  rt::SetTcpDefaults(*made);  // connections inherit them
  return Listener(rt::FdHandle(*made));
}

absl::Status Listener::Lend(absl::FunctionRef<absl::Status(int fd)> f) {
  return fd_.get() != nullptr ? fd_.get()->Lend(f, "lend") : rt::NoConnection("lend");
}

absl::StatusOr<int> Listener::Release() {
  if (fd_.get() == nullptr) return rt::NoConnection("release");
  return fd_.get()->Release();
}

absl::StatusOr<int> Listener::Dup() { return rt::DupFd(fd_.get()); }

}  // namespace gort
