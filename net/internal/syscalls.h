// net/internal/syscalls.h: the system calls of sockets, with the error in the result.
// What      each returns what the call does, or a negative errno value (the connect ones: 0 or a
//           positive one); EINTR is dealt with. None waits: the sockets do not block. errno is read
//           here and nowhere else: a goroutine may be on another thread after it has parked.
// Layer     11, used by net only. SIGPIPE is never raised (MSG_NOSIGNAL).
#ifndef GORT_NET_INTERNAL_SYSCALLS_H_
#define GORT_NET_INTERNAL_SYSCALLS_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <string_view>

#include "gort/net/addr.h"

namespace gort::rt {

struct Received;

// A non-blocking socket that exec closes.
int SysSocket(int family, int type);
void SysClose(int fd);
ssize_t SysRecv(int fd, void* buf, size_t n);
ssize_t SysSend(int fd, const void* buf, size_t n);
ssize_t SysSendv(int fd, iovec* iov, int n);
ssize_t SysRecvFrom(int fd, void* buf, size_t n, Received* got);
ssize_t SysSendTo(int fd, std::string_view data, const SocketAddr& to);
int SysAccept(int fd, SocketAddr* from);
// 0, EINPROGRESS, or what is wrong.
int SysConnect(int fd, const SocketAddr& to);
// After the socket became writable: 0, EINPROGRESS when that was not for the connection's sake, or
// what is wrong.
int SysConnectResult(int fd);
SocketAddr SysLocal(int fd);
// 0 or an errno value.
int SysSetInt(int fd, int level, int name, int value);

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_SYSCALLS_H_
