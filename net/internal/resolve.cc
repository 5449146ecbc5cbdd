#include "gort/net/internal/resolve.h"

#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "gort/net/internal/fd.h"
#include "gort/net/internal/lookup.h"

namespace gort::rt {
namespace {

constexpr Network kNetworks[] = {
    {"tcp", SOCK_STREAM, AF_UNSPEC}, {"tcp4", SOCK_STREAM, AF_INET},
    {"tcp6", SOCK_STREAM, AF_INET6}, {"udp", SOCK_DGRAM, AF_UNSPEC},
    {"udp4", SOCK_DGRAM, AF_INET},   {"udp6", SOCK_DGRAM, AF_INET6},
    {"unix", SOCK_STREAM, AF_UNIX},
};

absl::Status Prefixed(const char* op, const Network& network, const absl::Status& s) {
  return absl::Status(s.code(),
                      std::string(op) + ' ' + network.name + ": " + std::string(s.message()));
}

absl::Status LookupFailed(const char* op, const Network& network, const Question& question,
                          const Answer& answer) {
  const std::string where =
      std::string(op) + ' ' + network.name + ": lookup " + Quoted(question.host) +
      (question.service.empty() ? "" : " service " + Quoted(question.service)) + ": ";
  switch (answer.error) {
    case EAI_NONAME:
    case EAI_SERVICE:
    case EAI_FAMILY:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
      return absl::NotFoundError(where + gai_strerror(answer.error));
    case EAI_SYSTEM:
      return absl::UnavailableError(where + strerrordesc_np(answer.system_error));
    default:
      return absl::UnavailableError(where + gai_strerror(answer.error));
  }
}

absl::StatusOr<std::vector<SocketAddr>> LookUp(const char* op, const Network& network,
                                               const HostPort& parts, bool passive, int64_t when,
                                               Watcher* watcher) {
  const Question question{parts.host, parts.port, network.family, network.type,
                          passive ? AI_PASSIVE : 0};
  Answer answer;
  switch (AskLibrary(question, when, watcher, &answer)) {
    case AskResult::kNotStarted:
      return absl::FailedPreconditionError(
          "net: the runtime has not started; call gort::Run first");
    case AskResult::kGivenUp:
      return absl::DeadlineExceededError(std::string(op) + ' ' + network.name + ": lookup " +
                                         Quoted(parts.host) + ": " + kTimeoutText);
    case AskResult::kAnswered:
      break;
  }
  if (answer.error != 0) return LookupFailed(op, network, question, answer);
  return std::move(answer.found);
}

SocketAddr Any4(bool passive) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(passive ? INADDR_ANY : INADDR_LOOPBACK);
  return SocketAddr(reinterpret_cast<sockaddr*>(&in), sizeof in);
}

SocketAddr Any6(bool passive) {
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_addr = passive ? in6addr_any : in6addr_loopback;
  return SocketAddr(reinterpret_cast<sockaddr*>(&in6), sizeof in6);
}

}  // namespace

absl::StatusOr<Network> ParseNetwork(const char* op, std::string_view name) {
  for (const Network& network : kNetworks) {
    if (name == network.name) return network;
  }
  return absl::InvalidArgumentError(std::string(op) + ": unknown network " + Quoted(name));
}

absl::StatusOr<std::vector<SocketAddr>> Resolve(const char* op, const Network& network,
                                                std::string_view address, bool passive,
                                                int64_t when, Watcher* watcher) {
  if (network.family == AF_UNIX) {
    absl::StatusOr<SocketAddr> addr = SocketAddr::Unix(address);
    if (!addr.ok()) return Prefixed(op, network, addr.status());
    return std::vector<SocketAddr>{*addr};
  }
  absl::StatusOr<HostPort> parts = SplitHostPort(address);
  if (!parts.ok()) return Prefixed(op, network, parts.status());
  int port = parts->port.empty() && passive ? 0 : ParsePort(parts->port);
  auto bad = [&](const char* why) {
    return Prefixed(op, network,
                    absl::InvalidArgumentError("address " + Quoted(address) + ": " + why));
  };
  if (port == -2) return bad("invalid port, not in 0 … 65535");
  if (parts->port.empty() && !passive) return bad("missing port in address");

  std::vector<SocketAddr> addrs;
  if (parts->host.empty()) {
    if (network.family != AF_INET) addrs.push_back(Any6(passive));
    if (network.family != AF_INET6) addrs.push_back(Any4(passive));
    // Servers on 127.0.0.1 alone are more common than servers on ::1 alone.
    if (!passive && addrs.size() == 2) std::swap(addrs[0], addrs[1]);
  } else if (SocketAddr ip = ParseIp(parts->host); ip.family() != AF_UNSPEC) {
    if (network.family != AF_UNSPEC && ip.family() != network.family) {
      return bad(network.family == AF_INET ? "not an IPv4 address" : "not an IPv6 address");
    }
    addrs.push_back(ip);
  }
  if (addrs.empty() || port < 0) {
    if (parts->host.find_first_of(" \t\r\n/") != std::string::npos) return bad("not a host name");
    // A name of a host, of a service, or both.
    absl::StatusOr<std::vector<SocketAddr>> found =
        LookUp(op, network, *parts, passive, when, watcher);
    if (!found.ok() || addrs.empty()) return found;
    port = found->front().port();
  }
  for (SocketAddr& addr : addrs) addr.set_port(static_cast<uint16_t>(port));
  return addrs;
}

}  // namespace gort::rt
