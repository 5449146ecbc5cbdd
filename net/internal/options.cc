#include "gort/net/internal/options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace gort::rt {
namespace {

constexpr absl::Duration kKeepAlive = absl::Seconds(15);

}  // namespace

absl::Status SetFdDeadline(NetFd* fd, absl::Time t, uint32_t mode) {
  return fd != nullptr ? fd->SetDeadline(t, mode) : NoConnection("set deadline");
}

absl::Status SetFdInt(NetFd* fd, int level, int name, int value, const char* what) {
  if (fd == nullptr) return NoConnection("set");
  return fd->SetOption(level, name, &value, sizeof value, what);
}

absl::Status SetFdKeepAlive(NetFd* fd, absl::Duration idle) {
  constexpr int64_t kMostSeconds = 32767;  // the kernel's limit
  if (idle <= absl::ZeroDuration())
    return SetFdInt(fd, SOL_SOCKET, SO_KEEPALIVE, 0, "SO_KEEPALIVE");
  const absl::Duration most = absl::Seconds(kMostSeconds);
  const int seconds =
      static_cast<int>(absl::ToInt64Seconds(absl::Ceil(std::min(idle, most), absl::Seconds(1))));
  absl::Status s = SetFdInt(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
  if (s.ok()) s = SetFdInt(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds, "TCP_KEEPIDLE");
  if (s.ok()) s = SetFdInt(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds, "TCP_KEEPINTVL");
  if (s.ok()) s = SetFdInt(fd, IPPROTO_TCP, TCP_KEEPCNT, 9, "TCP_KEEPCNT");
  return s;
}

void SetTcpDefaults(NetFd* fd) {
  if (fd->network()[0] != 't') return;
  // Not every stream over IP is TCP: a socket that refuses the option stays as it was.
  SetFdInt(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY").IgnoreError();
  SetFdKeepAlive(fd, kKeepAlive).IgnoreError();
}

}  // namespace gort::rt
