#include "gort/net/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gort/net/internal/options.h"
#include "gort/net/internal/resolve.h"
#include "gort/net/internal/syscalls.h"
#include "gort/netpoll/internal/poll_desc.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/platforms/clock.h"
#include "gort/sync/sync.h"

namespace gort {

struct Dialer::State {
  explicit State(const DialOptions& o) : options(o) {}
  const DialOptions options;
  Mutex mu;
  bool closed ABSL_GUARDED_BY(mu) = false;
  std::vector<Attempt*> attempts ABSL_GUARDED_BY(mu);  // that wait
};

// One call of Dial, as Close sees it. Close ends what the call waits for by a deadline in the past.
class Dialer::Attempt : public rt::Watcher {
 public:
  explicit Attempt(State* state) : state_(state) {}
  ~Attempt() { Unwatch(); }  // also when an exception ends it
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void Watch(rt::PollDesc* pd) override {
    MutexLock l(&state_->mu);
    if (state_->closed) {
      End(pd);
      return;
    }
    pd_ = pd;
    state_->attempts.push_back(this);
  }
  void Unwatch() override {
    MutexLock l(&state_->mu);
    auto& all = state_->attempts;
    all.erase(std::remove(all.begin(), all.end(), this), all.end());
  }
  void End() const { End(pd_); }

 private:
  class ABSL_SCOPED_LOCKABLE MutexLock {
   public:
    explicit MutexLock(Mutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
    ~MutexLock() ABSL_UNLOCK_FUNCTION() { mu_->Unlock(); }

   private:
    Mutex* const mu_;
  };
  static void End(rt::PollDesc* pd) { rt::PollSetDeadline(pd, -1, rt::kPollRead | rt::kPollWrite); }

  State* const state_;
  rt::PollDesc* pd_ = nullptr;  // guarded by state_->mu
};

namespace {

// What an address gets at the least, if so much is left.
constexpr int64_t kLeastShareNs = 2'000'000'000;

// When the next of n addresses has had its share of the time until `when` (0: there is no limit).
// Go: partialDeadline
int64_t ShareOf(int64_t when, size_t n) {
  if (when <= 0) return when;
  const int64_t now = rt::Nanotime();
  const int64_t left = when - now;
  if (left <= 0) return -1;
  const int64_t share = std::max(left / static_cast<int64_t>(n), std::min(left, kLeastShareNs));
  return now + share;
}

// Linux picks the port of a socket that dials. If that happens to be the dialled port, and nobody
// listens there, the socket is connected to itself. Go: selfConnect
bool ConnectedToItself(const rt::NetFd& fd) {
  return fd.local().family() != AF_UNIX && fd.local() == fd.remote();
}

absl::StatusOr<Conn> ConnectOne(const rt::Network& network, const SocketAddr& addr, int64_t when,
                                const DialOptions& options, rt::Watcher* watcher) {
  for (int tries = 0;; ++tries) {
    const int sysfd = rt::SysSocket(addr.family(), network.type);
    if (sysfd < 0) {
      return rt::OpError("dial", network.name, addr.ToString(), "socket", -sysfd);
    }
    const bool tcp = network.type == SOCK_STREAM && addr.family() != AF_UNIX;
    if (tcp) rt::SysSetInt(sysfd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (network.type == SOCK_DGRAM) rt::SysSetInt(sysfd, SOL_SOCKET, SO_BROADCAST, 1);
    absl::StatusOr<rt::NetFd*> made = rt::NetFd::New(sysfd, network.name);
    if (!made.ok()) return made.status();
    rt::FdHandle fd(*made);
    absl::Status s = fd.get()->Connect(
        addr, when, [](void* arg, rt::PollDesc* pd) { static_cast<rt::Watcher*>(arg)->Watch(pd); },
        watcher);
    watcher->Unwatch();
    // Takes the deadline off: the call's own, or the one by which Close tried, too late, to end it.
    if (s.ok()) s = fd.get()->SetDeadline(absl::InfiniteFuture(), rt::kPollRead | rt::kPollWrite);
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
                             const DialOptions& options, rt::Watcher* watcher) {
  absl::StatusOr<rt::Network> kind = rt::ParseNetwork("dial", network);
  if (!kind.ok()) return kind.status();
  int64_t when = 0;
  if (options.timeout != absl::InfiniteDuration()) {
    when = rt::PollDeadlineIn(rt::SaturatedNanoseconds(options.timeout));
  }
  absl::StatusOr<std::vector<SocketAddr>> addrs =
      rt::Resolve("dial", *kind, address, /*passive=*/false, when, watcher);
  if (!addrs.ok()) return addrs.status();
  absl::Status first;
  for (size_t i = 0; i < addrs->size(); ++i) {
    absl::StatusOr<Conn> conn =
        ConnectOne(*kind, (*addrs)[i], ShareOf(when, addrs->size() - i), options, watcher);
    if (conn.ok()) return conn;
    if (first.ok()) first = conn.status();
    if (when != 0 && rt::Nanotime() >= when) break;
  }
  return first;
}

}  // namespace

Dialer::Dialer(const DialOptions& options) : state_(std::make_unique<State>(options)) {}

Dialer::~Dialer() = default;

absl::StatusOr<Conn> Dialer::Dial(std::string_view network, std::string_view address) {
  Attempt attempt(state_.get());
  absl::StatusOr<Conn> conn = DialAll(network, address, state_->options, &attempt);
  if (conn.ok() || !absl::IsDeadlineExceeded(conn.status())) return conn;
  state_->mu.Lock();
  const bool closed = state_->closed;
  state_->mu.Unlock();
  if (!closed) return conn;
  return absl::CancelledError("dial " + std::string(network) + ' ' + std::string(address) + ": " +
                              rt::kClosedText);
}

void Dialer::Close() {
  state_->mu.Lock();
  state_->closed = true;
  for (const Attempt* attempt : state_->attempts) attempt->End();
  state_->mu.Unlock();
}

absl::StatusOr<Conn> Dial(std::string_view network, std::string_view address,
                          absl::Duration timeout) {
  struct Nobody : rt::Watcher {
    void Watch(rt::PollDesc*) override {}
    void Unwatch() override {}
  } nobody;
  DialOptions options;
  options.timeout = timeout;
  return DialAll(network, address, options, &nobody);
}

}  // namespace gort
