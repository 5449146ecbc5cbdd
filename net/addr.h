// gort/net/addr.h: addresses of sockets.
// What      SocketAddr, a value: IPv4 or IPv6 address and port, or the name of a unix socket.
// Layer     11. No system calls; any thread.                     Go: net.TCPAddr, netip.AddrPort
// Text      "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80"; an IPv4 address in IPv6 clothes
//           (::ffff:127.0.0.1) is shown as IPv4. Unix: the path, "@name" for an abstract one, ""
//           for a socket without a name.
#ifndef GORT_NET_ADDR_H_
#define GORT_NET_ADDR_H_

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gort {

class SocketAddr {
 public:
  // No address at all: family() is AF_UNSPEC, the text is "".
  SocketAddr() : raw_{} {}
  // A copy of what the kernel gave. n is cut to what is valid for a socket address.
  SocketAddr(const sockaddr* addr, socklen_t n);

  // A numeric address with port, as in "Text" above; names are not looked up. kInvalidArgument
  // with the text that cannot be understood. Go: netip.ParseAddrPort
  static absl::StatusOr<SocketAddr> Parse(std::string_view text);
  // The address of a unix socket. kInvalidArgument when it is empty, has a zero byte where that is
  // not allowed, or is longer than 107 bytes.
  static absl::StatusOr<SocketAddr> Unix(std::string_view path);

  int family() const { return raw_.base.sa_family; }
  uint16_t port() const;  // 0 for unix
  void set_port(uint16_t port);
  bool IsWildcard() const;
  std::string ToString() const;

  const sockaddr* raw() const { return &raw_.base; }
  socklen_t size() const { return size_; }

  friend bool operator==(const SocketAddr& a, const SocketAddr& b);

 private:
  union Raw {
    sockaddr base;
    sockaddr_in in;
    sockaddr_in6 in6;
    sockaddr_un un;
  };
  Raw raw_;
  socklen_t size_ = 0;
};

namespace rt {

// A SocketAddr for the two in every NetFd: less room for IPv4 and IPv6, more for a unix socket's.
class StoredAddr {
 public:
  StoredAddr() : ip_{} {}
  StoredAddr& operator=(const SocketAddr& addr);
  SocketAddr Get() const;
  std::string ToString() const { return Get().ToString(); }

 private:
  union {
    sockaddr base;
    sockaddr_in in;
    sockaddr_in6 in6;
  } ip_;
  std::unique_ptr<const SocketAddr> other_;  // what is neither IPv4 nor IPv6
};

// The two halves of "host:port", "[host]:port", ":port". Go: SplitHostPort
struct HostPort {
  std::string host;
  std::string port;
};
// kInvalidArgument: "address <text>: missing port in address" and its like.
absl::StatusOr<HostPort> SplitHostPort(std::string_view text);

// An IPv4 or IPv6 literal ("::1", "fe80::1%eth0") with port 0; family AF_UNSPEC: it is neither.
SocketAddr ParseIp(const std::string& host);

// 0 … 65535; -1: not a number; -2: a number out of range, or one with a sign.
int ParsePort(std::string_view port);

// text in double quotes, with what does not print as \xNN, at most 100 bytes of it: for messages.
std::string Quoted(std::string_view text);

}  // namespace rt
}  // namespace gort

#endif  // GORT_NET_ADDR_H_
