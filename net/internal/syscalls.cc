#include "gort/net/internal/syscalls.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "gort/net/internal/fd.h"
#include "gort/platforms/signal.h"

namespace gort::rt {
namespace {

// Calls f until it is not interrupted.
template <class F>
auto Retried(F f) -> decltype(f()) {
  for (;;) {
    const auto n = f();
    if (n >= 0) return n;
    const int error = errno;
    if (error != EINTR) return -error;
  }
}

template <class F>
ssize_t WithoutSigPipe(F f) {
  SigPipeBlock block;
  const ssize_t n = Retried(f);
  if (n == -EPIPE) block.TakeAway();
  return n;
}

SocketAddr NameBy(int (*get)(int, sockaddr*, socklen_t*), int fd) {
  sockaddr_storage addr{};
  socklen_t n = sizeof addr;
  if (get(fd, reinterpret_cast<sockaddr*>(&addr), &n) != 0) return SocketAddr();
  return SocketAddr(reinterpret_cast<sockaddr*>(&addr), n);
}

}  // namespace

int SysSocket(int family, int type) {
  const int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

// Not repeated after EINTR: the descriptor is gone then, too.
void SysClose(int fd) { close(fd); }

ssize_t SysRead(int fd, void* buf, size_t n) {
  return Retried([=] { return read(fd, buf, n); });
}

ssize_t SysWrite(int fd, const void* buf, size_t n) {
  return WithoutSigPipe([=] { return write(fd, buf, n); });
}

ssize_t SysWritev(int fd, const iovec* iov, int n) {
  return WithoutSigPipe([=] { return writev(fd, iov, n); });
}

ssize_t SysRecv(int fd, void* buf, size_t n) {
  return Retried([=] { return recv(fd, buf, n, 0); });
}

ssize_t SysSend(int fd, const void* buf, size_t n) {
  return Retried([=] { return send(fd, buf, n, MSG_NOSIGNAL); });
}

ssize_t SysSendv(int fd, iovec* iov, int n) {
  msghdr m{};
  m.msg_iov = iov;
  m.msg_iovlen = static_cast<size_t>(n);
  return Retried([&] { return sendmsg(fd, &m, MSG_NOSIGNAL); });
}

ssize_t SysRecvFrom(int fd, void* buf, size_t n, Received* got) {
  sockaddr_storage from{};
  iovec iov{buf, n};
  msghdr m{};
  m.msg_name = &from;
  m.msg_namelen = sizeof from;
  m.msg_iov = &iov;
  m.msg_iovlen = 1;
  const ssize_t size = Retried([&] { return recvmsg(fd, &m, 0); });
  if (size >= 0) {
    got->size = static_cast<size_t>(size);
    got->from = SocketAddr(reinterpret_cast<sockaddr*>(&from), m.msg_namelen);
    got->truncated = (m.msg_flags & MSG_TRUNC) != 0;
  }
  return size;
}

ssize_t SysSendTo(int fd, std::string_view data, const SocketAddr& to) {
  return Retried(
      [&] { return sendto(fd, data.data(), data.size(), MSG_NOSIGNAL, to.raw(), to.size()); });
}

int SysAccept(int fd, SocketAddr* from) {
  sockaddr_storage addr{};
  socklen_t n = sizeof addr;
  const int got = Retried([&] {
    n = sizeof addr;
    return accept4(fd, reinterpret_cast<sockaddr*>(&addr), &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
  });
  if (got >= 0) *from = SocketAddr(reinterpret_cast<sockaddr*>(&addr), n);
  return got;
}

int SysConnect(int fd, const SocketAddr& to) {
  return connect(fd, to.raw(), to.size()) == 0 ? 0 : errno;
}

int SysConnectResult(int fd) {
  int error = 0;
  socklen_t n = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0) return errno;
  if (error != 0) return error;
  sockaddr_storage peer;
  n = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &n) == 0 ? 0 : EINPROGRESS;
}

SocketAddr SysLocal(int fd) {
  return NameBy([](int s, sockaddr* a, socklen_t* n) { return getsockname(s, a, n); }, fd);
}

SocketAddr SysRemote(int fd) {
  return NameBy([](int s, sockaddr* a, socklen_t* n) { return getpeername(s, a, n); }, fd);
}

int SysSetInt(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : errno;
}

}  // namespace gort::rt
