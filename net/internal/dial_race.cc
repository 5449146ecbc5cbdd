#include "gort/net/internal/dial_race.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "gort/netpoll/internal/poll_desc.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/platforms/clock.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"

namespace gort::rt {
namespace {

// What an address gets at the least, if so much is left.
constexpr int64_t kLeastShareNs = 2'000'000'000;

// When the next of n addresses has had its share of the time until `when` (0: there is no limit).
// Go: partialDeadline
int64_t ShareOf(int64_t when, size_t n) {
  if (when <= 0) return when;
  const int64_t now = Nanotime();
  const int64_t left = when - now;
  if (left <= 0) return -1;
  const int64_t share = std::max(left / static_cast<int64_t>(n), std::min(left, kLeastShareNs));
  return now + share;
}

bool Passed(int64_t when) { return when < 0 || (when != 0 && Nanotime() >= when); }

// One call of ConnectAny. Its end cancels the attempts that are still under way, and joins them.
class Race {
 public:
  // event: PollOpenEvent's; the attempts wake the caller by it, or the time for the next one does.
  Race(const Context& ctx, const std::vector<SocketAddr>& addrs, int64_t when, int64_t delay_ns,
       ConnectFn connect, PollDesc* event)
      : addrs_(addrs),
        when_(when),
        delay_ns_(delay_ns),
        connect_(connect),
        event_(event),
        own_(WithCancel(ctx)) {}
  ~Race() {
    Join();
    PollUnblock(event_);
    PollClose(event_);
  }
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

  absl::StatusOr<Conn> Run() {
    while (!Decided()) {
      if (Due()) Begin();
      PollPrepare(event_, kPollRead);
      // An attempt that has ended since made an edge; PollPrepare may have forgotten it.
      if (Decided() || Due()) continue;
      // A time for the next one that has passed would end each wait at once.
      if (NoMore()) PollSetDeadline(event_, 0, kPollRead);
      PollWait(event_, kPollRead);
    }
    Join();
    return Result();
  }

 private:
  // No attempt begins any more, but for the first.
  bool NoMore() const { return begun_ == addrs_.size() || !own_.first.Err().ok() || Passed(when_); }
  // A connection, or nothing that could still become one.
  bool Decided() {
    mu_.Lock();
    const bool no_more = NoMore();
    const bool decided =
        winner_.ok() || thrown_ != nullptr || (no_more && ended_ == begun_ && begun_ > 0);
    mu_.Unlock();
    return decided;
  }
  // It is time for the next address: the one before has failed, or has had its time.
  bool Due() {
    if (begun_ == addrs_.size() || (begun_ > 0 && (Passed(when_) || !own_.first.Err().ok()))) {
      return false;
    }
    mu_.Lock();
    const bool due = ended_ == begun_ || failed_last_ || Nanotime() >= next_;
    mu_.Unlock();
    return due;
  }
  void Begin() {
    const size_t i = begun_;
    mu_.Lock();
    failed_last_ = false;
    ++begun_;
    mu_.Unlock();
    next_ = PollDeadlineIn(delay_ns_);
    PollSetDeadline(event_, begun_ < addrs_.size() ? next_ : 0, kPollRead);
    attempts_.Go([this, i] { Attempt(i); });
  }
  void Attempt(size_t i) {
    absl::StatusOr<Conn> conn = absl::CancelledError();
    std::exception_ptr thrown;
    try {
      conn = connect_(own_.first, addrs_[i], when_);
    } catch (...) {  // of DialOptions::control; Run throws it in the caller
      thrown = std::current_exception();
    }
    mu_.Lock();
    ++ended_;
    if (thrown != nullptr) thrown_ = thrown;
    if (!conn.ok()) {
      if (i == 0) first_error_ = conn.status();
      failed_last_ = true;
    } else if (!winner_.ok()) {
      winner_ = std::move(conn);
    }
    mu_.Unlock();
    PollNotify(event_, kPollRead);
  }
  void Join() {
    own_.second();
    attempts_.Wait();
  }
  absl::StatusOr<Conn> Result() {
    mu_.Lock();
    if (thrown_ != nullptr) {
      const std::exception_ptr thrown = thrown_;
      mu_.Unlock();
      std::rethrow_exception(thrown);
    }
    absl::StatusOr<Conn> result = std::move(winner_);
    if (!result.ok()) result = first_error_;
    mu_.Unlock();
    return result;
  }

  const std::vector<SocketAddr>& addrs_;
  const int64_t when_;
  const int64_t delay_ns_;
  const ConnectFn connect_;
  PollDesc* const event_;
  const std::pair<Context, CancelFunc> own_;  // ends all attempts
  size_t begun_ = 0;                          // written by the caller of Run alone
  int64_t next_ = 0;                          // likewise; when the next attempt begins
  WaitGroup attempts_;
  gort::Mutex mu_;
  size_t ended_ ABSL_GUARDED_BY(mu_) = 0;
  bool failed_last_ ABSL_GUARDED_BY(mu_) = false;     // an attempt has failed since the last Begin
  absl::StatusOr<Conn> winner_ ABSL_GUARDED_BY(mu_);  // an error: none yet
  absl::Status first_error_ ABSL_GUARDED_BY(mu_);
  std::exception_ptr thrown_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::StatusOr<Conn> ConnectAny(const Context& ctx, const std::vector<SocketAddr>& addrs,
                                int64_t when, int64_t delay_ns, ConnectFn connect) {
  PollDesc* event = addrs.size() > 1 ? PollOpenEvent() : nullptr;
  if (event == nullptr) return ConnectInTurn(ctx, addrs, when, connect);
  return Race(ctx, addrs, when, delay_ns, connect, event).Run();
}

absl::StatusOr<Conn> ConnectInTurn(const Context& ctx, const std::vector<SocketAddr>& addrs,
                                   int64_t when, ConnectFn connect) {
  absl::Status first;
  for (size_t i = 0; i < addrs.size(); ++i) {
    absl::StatusOr<Conn> conn = connect(ctx, addrs[i], ShareOf(when, addrs.size() - i));
    if (conn.ok()) return conn;
    if (first.ok()) first = conn.status();
    if (Passed(when) || !ctx.Err().ok()) break;
  }
  return first;
}

std::vector<SocketAddr> Interleaved(const std::vector<SocketAddr>& addrs) {
  std::vector<SocketAddr> of[2];
  for (const SocketAddr& addr : addrs) {
    of[addr.family() == addrs.front().family() ? 0 : 1].push_back(addr);
  }
  std::vector<SocketAddr> mixed;
  for (size_t i = 0; i < addrs.size(); ++i) {
    for (const std::vector<SocketAddr>& family : of) {
      if (i < family.size()) mixed.push_back(family[i]);
    }
  }
  return mixed;
}

}  // namespace gort::rt
