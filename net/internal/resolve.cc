#include "gort/net/internal/resolve.h"

#include <netdb.h>
#include <netinet/in.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "gort/net/internal/fd.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/sync/sync.h"

namespace gort::rt {
namespace {

// Each look-up holds a thread in the C library.
constexpr int kMaxLookups = 64;
constinit Semaphore lookups(kMaxLookups);
// getaddrinfo and what it calls want more stack than a goroutine has.
constexpr size_t kLookupStack = size_t{1} << 20;

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

// One look-up. The caller and the goroutine that asks the C library share it; either may be gone
// before the other.
struct Lookup {
  ~Lookup() {
    if (done == nullptr) return;  // the runtime has not started
    PollUnblock(done);
    PollClose(done);
  }
  std::string host;  // const after init; so are service and hints
  std::string service;
  addrinfo hints{};
  PollDesc* done = nullptr;            // its event: look at `finished`
  std::atomic<bool> finished = false;  // error, system_error and found are there
  int error = 0;
  int system_error = 0;
  std::vector<SocketAddr> found;

  // Does not park, so errno is that of this call. Not inlined into Run, which parks.
  __attribute__((noinline)) void Ask(addrinfo** list) {
    error = getaddrinfo(host.empty() ? nullptr : host.c_str(),
                        service.empty() ? nullptr : service.c_str(), &hints, list);
    system_error = errno;
  }

  void Run() {
    lookups.Acquire();
    addrinfo* list = nullptr;
    EnterSyscallBlock();
    Ask(&list);
    ExitSyscall();
    lookups.Release();
    for (addrinfo* at = list; error == 0 && at != nullptr; at = at->ai_next) {
      found.emplace_back(at->ai_addr, at->ai_addrlen);
    }
    if (list != nullptr) freeaddrinfo(list);
    finished.store(true, std::memory_order_release);  // pairs with: LookUp
    PollNotify(done, kPollRead);
  }
};

absl::Status LookupFailed(const char* op, const Network& network, const Lookup& lookup) {
  const std::string where =
      std::string(op) + ' ' + network.name + ": lookup " + Quoted(lookup.host) +
      (lookup.service.empty() ? "" : " service " + Quoted(lookup.service)) + ": ";
  switch (lookup.error) {
    case EAI_NONAME:
    case EAI_SERVICE:
    case EAI_FAMILY:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
      return absl::NotFoundError(where + gai_strerror(lookup.error));
    case EAI_SYSTEM:
      return absl::UnavailableError(where + strerrordesc_np(lookup.system_error));
    default:
      return absl::UnavailableError(where + gai_strerror(lookup.error));
  }
}

absl::StatusOr<std::vector<SocketAddr>> LookUp(const char* op, const Network& network,
                                               const HostPort& parts, bool passive, int64_t when,
                                               Watcher* watcher) {
  auto lookup = std::make_shared<Lookup>();
  lookup->done = PollOpenEvent();
  if (lookup->done == nullptr) {
    return absl::FailedPreconditionError("net: the runtime has not started; call gort::Run first");
  }
  lookup->host = parts.host;
  lookup->service = parts.port;
  lookup->hints.ai_family = network.family;
  lookup->hints.ai_socktype = network.type;
  if (passive) lookup->hints.ai_flags = AI_PASSIVE;
  GoOptions options;
  options.stack_size = kLookupStack;
  options.name = "net lookup";
  Go(options, [lookup] { lookup->Run(); });

  if (when != 0) PollSetDeadline(lookup->done, when, kPollRead);
  if (watcher != nullptr) watcher->Watch(lookup->done);
  PollResult result;
  do {  // an event of the PollDesc's former user may come late
    result = PollWait(lookup->done, kPollRead);
  } while (result == PollResult::kOk && !lookup->finished.load(std::memory_order_acquire));
  if (watcher != nullptr) watcher->Unwatch();
  if (result != PollResult::kOk) {
    return absl::DeadlineExceededError(std::string(op) + ' ' + network.name + ": lookup " +
                                       Quoted(parts.host) + ": " + kTimeoutText);
  }
  if (lookup->error != 0) return LookupFailed(op, network, *lookup);
  if (lookup->found.empty()) {
    lookup->error = EAI_NONAME;
    return LookupFailed(op, network, *lookup);
  }
  return std::move(lookup->found);
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
