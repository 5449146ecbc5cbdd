#include "gort/net/internal/adopt.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "gort/net/internal/syscalls.h"

namespace gort::rt {
namespace {

std::string Named(int fd) { return "descriptor " + std::to_string(fd); }

absl::Status Unfit(int fd, const char* why) {
  return absl::InvalidArgumentError(Named(fd) + ' ' + why);
}

absl::Status FailedFor(int fd, const char* call, int error) {
  return absl::Status(absl::ErrnoToStatusCode(error),
                      Named(fd) + ": " + call + ": " + strerrordesc_np(error));
}

int IntOption(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

// The two flags of fd as they were; puts them back unless told to keep the new ones.
class Flags {
 public:
  explicit Flags(int fd) : fd_(fd), status_(fcntl(fd, F_GETFL)), descriptor_(fcntl(fd, F_GETFD)) {}
  ~Flags() {
    if (status_ >= 0) fcntl(fd_, F_SETFL, status_);
    if (descriptor_ >= 0) fcntl(fd_, F_SETFD, descriptor_);
  }
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;
  bool Set() const {
    return fcntl(fd_, F_SETFL, status_ | O_NONBLOCK) == 0 &&
           fcntl(fd_, F_SETFD, descriptor_ | FD_CLOEXEC) == 0;
  }
  void Keep() { status_ = descriptor_ = -1; }

 private:
  const int fd_;
  int status_;
  int descriptor_;
};

struct Kind {
  const char* network;
  FdKind kind;
};

const char* NetworkOf(int domain, bool datagrams) {
  if (domain == AF_UNIX) return datagrams ? "unixgram" : "unix";
  return datagrams ? "udp" : "tcp";
}

absl::StatusOr<Kind> SocketKind(int fd, Adopted as) {
  const int domain = IntOption(fd, SO_DOMAIN);
  const int type = IntOption(fd, SO_TYPE);
  if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) {
    return Unfit(fd, "is a socket of a family that gort does not know");
  }
  if (type != SOCK_STREAM && type != SOCK_DGRAM) {
    return Unfit(fd, "is a socket for neither streams nor datagrams");
  }
  const bool datagrams = type == SOCK_DGRAM;
  const bool listens = IntOption(fd, SO_ACCEPTCONN) > 0;
  const Kind kind{NetworkOf(domain, datagrams), FdKind::kSocket};
  switch (as) {
    case Adopted::kListener:
      if (!listens) return Unfit(fd, "is a socket that does not listen");
      return kind;
    case Adopted::kPacket:
      if (!datagrams || domain == AF_UNIX) return Unfit(fd, "is no UDP socket");
      return kind;
    case Adopted::kConn:
      break;
  }
  if (listens) return Unfit(fd, "is a listening socket; use Listener::FromFd");
  if (SysRemote(fd).family() == AF_UNSPEC) return Unfit(fd, "is a socket without a connection");
  return kind;
}

absl::StatusOr<Kind> KindOf(int fd, Adopted as) {
  struct stat about {};
  if (fstat(fd, &about) != 0) return Unfit(fd, "is not open");
  if (S_ISSOCK(about.st_mode)) return SocketKind(fd, as);
  if (as != Adopted::kConn) return Unfit(fd, "is no socket");
  if (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode)) {
    return Unfit(fd, "is a regular file or a directory, which is always ready");
  }
  return Kind{"file", FdKind::kFile};
}

}  // namespace

absl::StatusOr<NetFd*> AdoptFd(int fd, Adopted as) {
  absl::StatusOr<Kind> kind = KindOf(fd, as);
  if (!kind.ok()) return kind.status();
  Flags flags(fd);
  if (!flags.Set()) return FailedFor(fd, "fcntl", errno);
  absl::StatusOr<NetFd*> made = NetFd::Adopt(fd, kind->network, kind->kind);
  if (absl::IsPermissionDenied(made.status())) return Unfit(fd, "cannot be waited for");  // EPERM
  if (!made.ok()) {
    return absl::Status(made.status().code(),
                        Named(fd) + ": " + std::string(made.status().message()));
  }
  flags.Keep();
  if (kind->kind == FdKind::kSocket) {
    (*made)->FetchLocal();
    (*made)->FetchRemote();
  }
  return made;
}

absl::StatusOr<int> DupFd(NetFd* fd) {
  if (fd == nullptr) return NoConnection("dup");
  int copy = -1;
  absl::Status s = fd->Lend(
      [&](int sysfd) {
        copy = fcntl(sysfd, F_DUPFD_CLOEXEC, 0);
        const int error = errno;
        return copy >= 0 ? absl::OkStatus() : FailedFor(sysfd, "dup", error);
      },
      "dup");
  if (!s.ok()) return s;
  return copy;
}

}  // namespace gort::rt
