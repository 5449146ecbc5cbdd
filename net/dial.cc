#include "gort/net/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <vector>

#include "gort/context/internal/watch.h"
#include "gort/net/internal/dial_race.h"
#include "gort/net/internal/fd.h"
#include "gort/net/internal/lookup.h"
#include "gort/net/internal/options.h"
#include "gort/net/internal/resolve.h"
#include "gort/net/internal/syscalls.h"
#include "gort/netpoll/internal/poll_desc.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/wait_fd.h"

namespace gort {
namespace {

// Lets a context end what a Dial waits for, a look-up or a connection.
class ContextWatcher : public rt::Watcher, private rt::ContextWatch {
 public:
  explicit ContextWatcher(const Context& ctx)
      : ContextWatch([](rt::ContextWatch* w) { return static_cast<ContextWatcher*>(w)->Cancel(); }),
        ctx_(ctx) {}
  ~ContextWatcher() { Unwatch(); }  // also when an exception ends the call
  ContextWatcher(const ContextWatcher&) = delete;
  ContextWatcher& operator=(const ContextWatcher&) = delete;

  void Watch(rt::PollDesc* pd) override {
    pd_ = pd;
    if (!Begin(ctx_)) Cancel();  // nobody waits for pd yet
  }
  void Unwatch() override {
    if (pd_ == nullptr) return;
    End();
    rt::PollUncancel(pd_, rt::kPollRead);
    rt::PollUncancel(pd_, rt::kPollWrite);
    pd_ = nullptr;
  }

 private:
  // A look-up waits for reading, a connection for writing; one of them is there.
  rt::G* Cancel() {
    rt::G* reader = rt::PollCancel(pd_, rt::kPollRead);
    rt::G* writer = rt::PollCancel(pd_, rt::kPollWrite);
    return reader != nullptr ? reader : writer;
  }

  const Context ctx_;
  rt::PollDesc* pd_ = nullptr;
};

// Linux picks the port of a socket that dials. If that happens to be the dialled port, and nobody
// listens there, the socket is connected to itself. Go: selfConnect
bool ConnectedToItself(const rt::NetFd& fd) {
  return fd.local().family() != AF_UNIX && fd.local() == fd.remote();
}

// Options that come before connect.
absl::Status SetUp(int sysfd, bool tcp, bool datagrams, const DialOptions& options) {
  if (tcp) rt::SysSetInt(sysfd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (datagrams) rt::SysSetInt(sysfd, SOL_SOCKET, SO_BROADCAST, 1);
  return options.control ? options.control(sysfd) : absl::OkStatus();
}

absl::Status ConnectFd(rt::NetFd* fd, const SocketAddr& addr, int64_t when,
                       ContextWatcher* watcher) {
  absl::Status s = fd->Connect(
      addr, when, [](void* arg, rt::PollDesc* pd) { static_cast<rt::Watcher*>(arg)->Watch(pd); },
      static_cast<rt::Watcher*>(watcher));
  watcher->Unwatch();
  // The deadline of the Dial is not the connection's.
  if (s.ok()) s = fd->SetDeadline(absl::InfiniteFuture(), rt::kPollRead | rt::kPollWrite);
  return s;
}

absl::StatusOr<Conn> ConnectOne(const rt::Network& network, const SocketAddr& addr, int64_t when,
                                const DialOptions& options, const Context& ctx) {
  const bool tcp = network.type == SOCK_STREAM && addr.family() != AF_UNIX;
  ContextWatcher watcher(ctx);
  for (int tries = 0;; ++tries) {
    const int sysfd = rt::SysSocket(addr.family(), network.type);
    if (sysfd < 0) {
      return rt::OpError("dial", network.name, addr.ToString(), "socket", -sysfd);
    }
    absl::StatusOr<rt::NetFd*> made = rt::NetFd::New(sysfd, network.name);
    if (!made.ok()) return made.status();
    rt::FdHandle fd(*made);
    absl::Status s = SetUp(sysfd, tcp, network.type == SOCK_DGRAM, options);
    if (s.ok()) s = ConnectFd(fd.get(), addr, when, &watcher);
    if (tcp && s.ok() && ConnectedToItself(*fd.get())) {
      if (tries < 2) continue;
      return rt::OpError("dial", network.name, addr.ToString(), "connect", ECONNREFUSED);
    }
    if (tcp && s.ok() && options.keep_alive > absl::ZeroDuration()) {
      s = rt::SetFdKeepAlive(fd.get(), options.keep_alive);
    }
    if (!s.ok()) return s;
    return Conn(std::move(fd));
  }
}

absl::StatusOr<Conn> DialAll(std::string_view network, std::string_view address,
                             const DialOptions& options, const Context& ctx) {
  absl::StatusOr<rt::Network> kind = rt::ParseNetwork("dial", network);
  if (!kind.ok()) return kind.status();
  int64_t when = 0;
  if (options.timeout != absl::InfiniteDuration()) {
    when = rt::PollDeadlineIn(rt::SaturatedNanoseconds(options.timeout));
  }
  ContextWatcher watcher(ctx);
  absl::StatusOr<std::vector<SocketAddr>> addrs =
      rt::Resolve("dial", *kind, address, /*passive=*/false, when, &watcher);
  if (!addrs.ok()) return addrs.status();
  const auto connect = [&](const Context& own, const SocketAddr& addr, int64_t until) {
    return ConnectOne(*kind, addr, until, options, own);
  };
  if (kind->type != SOCK_STREAM || options.attempt_delay == absl::InfiniteDuration()) {
    return rt::ConnectInTurn(ctx, *addrs, when, connect);
  }
  return rt::ConnectAny(ctx, rt::Interleaved(*addrs), when,
                        rt::SaturatedNanoseconds(options.attempt_delay), connect);
}

std::string Dialling(std::string_view network, std::string_view address) {
  return "dial " + std::string(network) + ' ' + std::string(address) + ": ";
}

}  // namespace

absl::StatusOr<Conn> Dial(const Context& ctx, std::string_view network, std::string_view address,
                          const DialOptions& options) {
  absl::StatusOr<Conn> conn = absl::CancelledError();
  if (ctx.Err().ok()) conn = DialAll(network, address, options, ctx);
  if (conn.ok()) return conn;
  const absl::Status over = ctx.Err();
  const bool given_up = absl::IsCancelled(conn.status()) || absl::IsDeadlineExceeded(conn.status());
  if (over.ok() || !given_up) return conn;  // the timeout of the options, or another error
  return absl::Status(over.code(), Dialling(network, address) + std::string(over.message()));
}

absl::StatusOr<Conn> Dial(std::string_view network, std::string_view address,
                          absl::Duration timeout) {
  DialOptions options;
  options.timeout = timeout;
  return DialAll(network, address, options, Background());
}

Dialer::Dialer(const DialOptions& options) : options_(options), open_(WithCancel(Background())) {}

absl::StatusOr<Conn> Dialer::Dial(std::string_view network, std::string_view address) {
  absl::StatusOr<Conn> conn = gort::Dial(open_.first, network, address, options_);
  if (conn.ok() || !absl::IsCancelled(conn.status())) return conn;
  return absl::CancelledError(Dialling(network, address) + rt::kClosedText);
}

void Dialer::Close() { open_.second(); }

void SetLookupCache(absl::Duration found, absl::Duration missing) {
  rt::KeepLookups(absl::ToInt64Nanoseconds(found), absl::ToInt64Nanoseconds(missing));
}

}  // namespace gort
