#include "gort/net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "absl/status/status.h"

namespace gort {
namespace {

constexpr size_t kPathAt = offsetof(sockaddr_un, sun_path);
constexpr size_t kMaxPath = sizeof(sockaddr_un) - kPathAt;

absl::Status Bad(std::string_view text, const char* why) {
  return absl::InvalidArgumentError("address " + rt::Quoted(text) + ": " + why);
}

std::string Ip6Text(const sockaddr_in6& in6) {
  char text[INET6_ADDRSTRLEN] = "";
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
    inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], text, sizeof text);
    return text;
  }
  inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  std::string host = std::string("[") + text;
  if (in6.sin6_scope_id != 0) {
    char name[IF_NAMESIZE];
    host += '%';
    host += if_indextoname(in6.sin6_scope_id, name) != nullptr ? name
                                                               : std::to_string(in6.sin6_scope_id);
  }
  return host + ']';
}

}  // namespace

SocketAddr::SocketAddr(const sockaddr* addr, socklen_t n) : raw_{} {
  size_ = std::min<socklen_t>(n, sizeof raw_);
  std::memcpy(&raw_, addr, size_);
}

uint16_t SocketAddr::port() const {
  if (family() == AF_INET) return ntohs(raw_.in.sin_port);
  if (family() == AF_INET6) return ntohs(raw_.in6.sin6_port);
  return 0;
}

void SocketAddr::set_port(uint16_t port) {
  if (family() == AF_INET) raw_.in.sin_port = htons(port);
  if (family() == AF_INET6) raw_.in6.sin6_port = htons(port);
}

bool SocketAddr::IsWildcard() const {
  if (family() == AF_INET) return raw_.in.sin_addr.s_addr == htonl(INADDR_ANY);
  return family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&raw_.in6.sin6_addr);
}

std::string SocketAddr::ToString() const {
  switch (family()) {
    case AF_INET: {
      char text[INET_ADDRSTRLEN] = "";
      inet_ntop(AF_INET, &raw_.in.sin_addr, text, sizeof text);
      return std::string(text) + ':' + std::to_string(port());
    }
    case AF_INET6:
      return Ip6Text(raw_.in6) + ':' + std::to_string(port());
    case AF_UNIX: {
      if (size_ <= kPathAt) return "";
      const char* path = raw_.un.sun_path;
      const size_t n = size_ - kPathAt;
      if (path[0] == '\0') return "@" + std::string(path + 1, n - 1);
      return std::string(path, strnlen(path, n));
    }
    default:
      return "";
  }
}

bool operator==(const SocketAddr& a, const SocketAddr& b) {
  return a.size_ == b.size_ && std::memcmp(&a.raw_, &b.raw_, a.size_) == 0;
}

absl::StatusOr<SocketAddr> SocketAddr::Unix(std::string_view path) {
  if (path.empty()) return Bad(path, "a unix socket needs a name");
  const bool abstract = path[0] == '@';
  if (!abstract && path.find('\0') != path.npos) return Bad(path, "zero byte in the path");
  // A path has a zero behind it, an abstract name one before it in place of the '@'.
  if (path.size() + (abstract ? 0 : 1) > kMaxPath) {
    return Bad(path, "the name of a unix socket is longer than 107 bytes");
  }
  SocketAddr addr;
  addr.raw_.un.sun_family = AF_UNIX;
  std::memcpy(addr.raw_.un.sun_path, path.data(), path.size());
  if (abstract) addr.raw_.un.sun_path[0] = '\0';
  addr.size_ = static_cast<socklen_t>(kPathAt + path.size() + (abstract ? 0 : 1));
  return addr;
}

absl::StatusOr<SocketAddr> SocketAddr::Parse(std::string_view text) {
  absl::StatusOr<rt::HostPort> parts = rt::SplitHostPort(text);
  if (!parts.ok()) return parts.status();
  SocketAddr addr = rt::ParseIp(parts->host);
  if (addr.family() == AF_UNSPEC) return Bad(text, "not an IP address");
  const int port = rt::ParsePort(parts->port);
  if (port < 0) return Bad(text, "invalid port");
  addr.set_port(static_cast<uint16_t>(port));
  return addr;
}

namespace rt {

StoredAddr& StoredAddr::operator=(const SocketAddr& addr) {
  ip_ = {};
  other_.reset();
  if (addr.family() == AF_INET || addr.family() == AF_INET6) {
    std::memcpy(&ip_, addr.raw(), std::min<size_t>(addr.size(), sizeof ip_));
  } else if (addr.family() != AF_UNSPEC) {
    other_ = std::make_unique<const SocketAddr>(addr);
  }
  return *this;
}

SocketAddr StoredAddr::Get() const {
  if (other_ != nullptr) return *other_;
  if (ip_.base.sa_family == AF_UNSPEC) return SocketAddr();
  return SocketAddr(&ip_.base, ip_.base.sa_family == AF_INET ? sizeof ip_.in : sizeof ip_.in6);
}

std::string Quoted(std::string_view text) {
  constexpr size_t kMost = 100;
  std::string out = "\"";
  for (char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", byte);
      out += hex;
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  out += text.size() > kMost ? "…\"" : "\"";
  return out;
}

absl::StatusOr<HostPort> SplitHostPort(std::string_view text) {
  if (text.find('\0') != text.npos) return Bad(text, "zero byte in address");
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return Bad(text, "missing port in address");
  std::string_view host = text.substr(0, colon);
  if (!host.empty() && host[0] == '[') {
    const size_t end = text.find(']');
    if (end == text.npos) return Bad(text, "missing ']' in address");
    if (end + 1 == text.size()) return Bad(text, "missing port in address");
    if (end + 1 != colon) {
      return Bad(text, text[end + 1] == ':' ? "too many colons in address"
                                            : "unexpected text after ']' in address");
    }
    host = host.substr(1, end - 1);
  } else if (host.find(':') != host.npos) {
    return Bad(text, "too many colons in address");
  }
  if (host.find('[') != host.npos) return Bad(text, "unexpected '[' in address");
  if (host.find(']') != host.npos) return Bad(text, "unexpected ']' in address");
  return HostPort{std::string(host), std::string(text.substr(colon + 1))};
}

SocketAddr ParseIp(const std::string& host) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  if (inet_pton(AF_INET, host.c_str(), &in.sin_addr) == 1) {
    return SocketAddr(reinterpret_cast<sockaddr*>(&in), sizeof in);
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  std::string ip = host;
  if (const size_t percent = host.find('%'); percent != host.npos) {
    const std::string zone = host.substr(percent + 1);
    ip.resize(percent);
    in6.sin6_scope_id = if_nametoindex(zone.c_str());
    if (in6.sin6_scope_id == 0) {
      if (zone.empty() || zone.size() > 9) return SocketAddr();
      for (char c : zone) {
        if (c < '0' || c > '9') return SocketAddr();
        in6.sin6_scope_id = in6.sin6_scope_id * 10 + static_cast<uint32_t>(c - '0');
      }
    }
  }
  if (inet_pton(AF_INET6, ip.c_str(), &in6.sin6_addr) != 1) return SocketAddr();
  return SocketAddr(reinterpret_cast<sockaddr*>(&in6), sizeof in6);
}

int ParsePort(std::string_view port) {
  if (port.empty()) return -1;
  // A number with a sign is no port, and no name of a service either.
  const bool has_sign = port.front() == '-' || port.front() == '+';
  if (has_sign && ParsePort(port.substr(1)) != -1) return -2;
  int value = 0;
  for (char c : port) {
    if (c < '0' || c > '9') return -1;
    value = std::min(value * 10 + (c - '0'), 1 << 20);
  }
  return value <= 65535 ? value : -2;
}

}  // namespace rt
}  // namespace gort
