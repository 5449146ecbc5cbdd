#include "gort/net/internal/sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <vector>

#include "gort/net/internal/syscalls.h"

namespace gort::rt {
namespace {

int Bind(int fd, const SocketAddr& addr) {
  return bind(fd, addr.raw(), addr.size()) == 0 ? 0 : errno;
}

int StartListening(int fd, int backlog) { return listen(fd, backlog) == 0 ? 0 : errno; }

// Owns a descriptor until it is released.
class Pending {
 public:
  explicit Pending(int fd) : fd_(fd) {}
  ~Pending() {
    if (fd_ >= 0) SysClose(fd_);
  }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  int get() const { return fd_; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

struct Plan {
  const Network& network;
  int backlog;
  absl::FunctionRef<absl::Status(int fd)> setup;
};

absl::StatusOr<NetFd*> BindOne(const Plan& plan, const SocketAddr& addr) {
  const Network& network = plan.network;
  auto failed = [&](const char* call, int error) {
    return OpError("listen", network.name, addr.ToString(), call, error);
  };
  const int got = SysSocket(addr.family(), network.type);
  if (got < 0) return failed("socket", -got);
  Pending fd(got);
  if (addr.family() == AF_INET6) {
    // The wildcard serves both families, unless the network is for IPv6 alone.
    const bool only = network.family == AF_INET6 || !addr.IsWildcard();
    if (int error = SysSetInt(got, IPPROTO_IPV6, IPV6_V6ONLY, only)) {
      return failed("IPV6_V6ONLY", error);
    }
  }
  if (addr.family() != AF_UNIX && plan.backlog > 0) {
    // Connections of a former listener that are still in TIME_WAIT do not keep the port.
    if (int error = SysSetInt(got, SOL_SOCKET, SO_REUSEADDR, 1)) {
      return failed("SO_REUSEADDR", error);
    }
  }
  if (absl::Status s = plan.setup(got); !s.ok()) return s;
  if (int error = Bind(got, addr)) return failed("bind", error);
  if (plan.backlog > 0) {
    if (int error = StartListening(got, plan.backlog)) return failed("listen", error);
  }
  absl::StatusOr<NetFd*> made = NetFd::New(fd.Release(), network.name);
  if (made.ok()) (*made)->FetchLocal();
  return made;
}

}  // namespace

absl::StatusOr<NetFd*> BoundSocket(const Network& network, std::string_view address, int backlog,
                                   absl::FunctionRef<absl::Status(int fd)> setup) {
  absl::StatusOr<std::vector<SocketAddr>> addrs =
      Resolve("listen", network, address, /*passive=*/true, 0, nullptr);
  if (!addrs.ok()) return addrs.status();
  const Plan plan{network, backlog, setup};
  absl::StatusOr<NetFd*> made = BindOne(plan, addrs->front());
  // On a machine without IPv6 the second address is taken, which is the IPv4 wildcard.
  if (!made.ok() && addrs->size() > 1 && addrs->front().IsWildcard()) {
    const absl::StatusCode code = made.status().code();
    if (code == absl::ErrnoToStatusCode(EAFNOSUPPORT) ||
        code == absl::ErrnoToStatusCode(EADDRNOTAVAIL)) {
      return BindOne(plan, (*addrs)[1]);
    }
  }
  return made;
}

}  // namespace gort::rt
