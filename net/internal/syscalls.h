// net/internal/syscalls.h: the system calls of sockets, with the error in the result.
// What      each function returns what the system call does, or a negative errno value; where 0 or
//           a positive errno value comes back the comment says so. An interrupted call is made
//           again. No call waits: the sockets do not block. errno is read directly after the call:
//           a goroutine may be on another thread once it has parked.
// Layer     11, used by net only. No call raises SIGPIPE (MSG_NOSIGNAL).
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
// Of what is no socket. SIGPIPE is blocked for the call, and taken away if the call made it.
ssize_t SysRead(int fd, void* buf, size_t n);
ssize_t SysWrite(int fd, const void* buf, size_t n);
ssize_t SysWritev(int fd, const iovec* iov, int n);
ssize_t SysRecv(int fd, void* buf, size_t n);
ssize_t SysSend(int fd, const void* buf, size_t n);
ssize_t SysSendv(int fd, iovec* iov, int n);
ssize_t SysRecvFrom(int fd, void* buf, size_t n, Received* got);
ssize_t SysSendTo(int fd, std::string_view data, const SocketAddr& to);
int SysAccept(int fd, SocketAddr* from);
// 0, EINPROGRESS, or the errno value of what is wrong.
int SysConnect(int fd, const SocketAddr& to);
// Asked once the socket is writable. 0: connected. EINPROGRESS: writable for another reason. Else
// the errno value of what is wrong.
int SysConnectResult(int fd);
SocketAddr SysLocal(int fd);
SocketAddr SysRemote(int fd);
// 0 or an errno value.
int SysSetInt(int fd, int level, int name, int value);

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_SYSCALLS_H_
