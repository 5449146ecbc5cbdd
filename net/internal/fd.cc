#include "gort/net/internal/fd.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "gort/base/attributes.h"
#include "gort/net/internal/call_end.h"
#include "gort/net/internal/syscalls.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/sync/internal/sema.h"

namespace gort::rt {
namespace {

// The most that is asked of one system call. The kernel takes about 2 GiB; 1 GiB is what Go asks.
constexpr size_t kMaxRw = size_t{1} << 30;
// Pieces of a Writev for one system call.
constexpr int kMaxIov = 64;

// Accept's pauses when there is no descriptor or memory, as net/http has them.
constexpr int kMinPauseMs = 5;
constexpr int kMaxPauseMs = 1000;

bool IsExhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

std::string ErrorText(int error) {
  const char* text = strerrordesc_np(error);
  return text != nullptr ? text : "errno " + std::to_string(error);
}

absl::StatusCode CodeOf(int error) {
  if (IsExhaustion(error)) return absl::StatusCode::kResourceExhausted;
  if (error == EMSGSIZE) return absl::StatusCode::kInvalidArgument;  // the caller's datagram
  return absl::ErrnoToStatusCode(error);
}

}  // namespace

absl::Status OpError(const char* op, std::string_view network, const std::string& addr,
                     const char* call, int error) {
  std::string text = std::string(op) + ' ';
  text.append(network);
  if (!addr.empty()) text += ' ' + addr;
  if (call != nullptr) text += std::string(": ") + call;
  return absl::Status(CodeOf(error), text + ": " + ErrorText(error));
}

absl::Status NoConnection(const char* op) {
  return absl::FailedPreconditionError(std::string(op) + ": " + kClosedText);
}

// Holds one side of the descriptor for the life of the object. A call that waited for its turn in
// vain still has a reference: the destructor gives it back, and the NetFd may go with it. Each
// operation ends in PreemptCheck, whatever came of it: a peer that is always faster, and errors
// that come at once, must not keep the P for a goroutine that tries again.
class NetFd::Operation {
 public:
  Operation(NetFd* fd, FdSide side, const Context* ctx = nullptr)
      : fd_(fd), side_(side), ctx_(ctx), got_(fd->mu_.Lock(side, ctx)) {}
  ~Operation() {
    if (GORT_LIKELY(got_ == FdLock::kLocked)) {
      if (GORT_UNLIKELY(fd_->mu_.Unlock(side_))) fd_->Destroy();
    } else if (got_ != FdLock::kClosed) {
      fd_->Leave();
    }
    PreemptCheck();
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  bool ok() const { return got_ == FdLock::kLocked; }
  // Why it is not.
  absl::Status Refusal(const char* op) const {
    if (got_ == FdLock::kGivenUp) return fd_->Ended(*ctx_, op);
    if (got_ == FdLock::kClosedReference) return fd_->Failed(PollResult::kClosing, op);
    return fd_->UseAfterClose(op);
  }

 private:
  NetFd* const fd_;
  const FdSide side_;
  const Context* const ctx_;
  const FdLock got_;
};

absl::StatusOr<NetFd*> NetFd::Adopt(int sysfd, const char* network, FdKind kind) {
  int error = 0;
  PollDesc* pd = PollOpen(sysfd, &error);
  if (pd != nullptr) return new NetFd(sysfd, network, kind, pd);
  if (error == ENOSYS) {
    return absl::FailedPreconditionError("net: the runtime has not started; call gort::Run first");
  }
  return OpError("register", network, "", "epoll_ctl", error);
}

absl::StatusOr<NetFd*> NetFd::New(int sysfd, const char* network) {
  absl::StatusOr<NetFd*> made = Adopt(sysfd, network, FdKind::kSocket);
  if (!made.ok()) SysClose(sysfd);
  return made;
}

void NetFd::Unshare() {
  if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;  // pairs with: itself
}

void NetFd::Drop() {
  Close().IgnoreError();
  Unshare();
}

void DropFd(NetFd* fd) { fd->Drop(); }

void NetFd::Destroy() {
  PollClose(pd_);
  if (!keep_) SysClose(sysfd_);
  // The call of Close that waits for this has a share of its own.
  SemRelease(&close_sema_, false);
  Unshare();
}

absl::Status NetFd::Close() { return CloseAs("close", /*keep=*/false); }

absl::StatusOr<int> NetFd::Release() {
  const int sysfd = sysfd_;  // whose call ends here may drop the handle before CloseAs returns
  if (absl::Status s = CloseAs("release", /*keep=*/true); !s.ok()) return s;
  return sysfd;
}

absl::Status NetFd::CloseAs(const char* op, bool keep) {
  if (!mu_.IncRefAndClose()) return UseAfterClose(op);
  // One call of all comes here, and has a reference.
  keep_ = keep;
  // A share for this call: a goroutine whose call ends here may drop the handle before Close
  // returns.
  owners_.fetch_add(1, std::memory_order_relaxed);
  // Removed while the socket still listens: afterwards the path may be another listener's.
  if (unlink_ != nullptr && !keep) unlink(unlink_->c_str());
  PollUnblock(pd_);
  Leave();
  SemAcquire(&close_sema_, false, WaitReason::kIoWait);
  Unshare();
  return absl::OkStatus();
}

std::string NetFd::Where() const {
  const std::string local = local_.ToString();
  const std::string remote = remote_.ToString();
  if (remote.empty()) return local;
  return local.empty() ? remote : local + "->" + remote;
}

std::string NetFd::Prefix(const char* op) const {
  const std::string where = Where();
  return std::string(op) + ' ' + network_ + (where.empty() ? "" : ' ' + where) + ": ";
}

absl::Status NetFd::Failed(int error, const char* op, const char* call) const {
  return OpError(op, network_, Where(), call, error);
}

absl::Status NetFd::UseAfterClose(const char* op) const {
  return absl::FailedPreconditionError(Prefix(op) + kClosedText);
}

absl::Status NetFd::Failed(PollResult result, const char* op) const {
  switch (result) {
    case PollResult::kTimeout:
      return absl::DeadlineExceededError(Prefix(op) + kTimeoutText);
    case PollResult::kClosing:
      return absl::CancelledError(Prefix(op) + kClosedText);
    case PollResult::kCancelled:
      return absl::CancelledError(Prefix(op) + "given up");
    default:
      return absl::UnavailableError(Prefix(op) + "not pollable");
  }
}

absl::Status NetFd::Ended(const Context& ctx, const char* op) const {
  const absl::Status err = ctx.Err();
  return absl::Status(err.code(), Prefix(op) + std::string(err.message()));
}

absl::Status NetFd::Wait(CallEnd* ender, const char* op) {
  const PollResult result = ender->Wait();
  if (GORT_LIKELY(result == PollResult::kOk)) return absl::OkStatus();
  if (result == PollResult::kCancelled && ender->context() != nullptr) {
    return Ended(*ender->context(), op);
  }
  return Failed(result, op);
}

absl::Status NetFd::Prepare(CallEnd* ender, const char* op) {
  if (ender->Ended()) return Ended(*ender->context(), op);
  const PollResult result = PollPrepare(pd_, ender->mode());
  if (GORT_LIKELY(result == PollResult::kOk)) return absl::OkStatus();
  return Failed(result, op);
}

absl::Status NetFd::Lend(absl::FunctionRef<absl::Status(int sysfd)> f, const char* op) {
  if (!mu_.IncRef()) return UseAfterClose(op);
  struct Reference {
    NetFd* fd;
    ~Reference() { fd->Leave(); }
  } reference{this};
  return f(sysfd_);
}

absl::StatusOr<size_t> NetFd::Read(absl::Span<char> buf, const Context* ctx) {
  Operation op(this, FdSide::kRead, ctx);
  if (GORT_UNLIKELY(!op.ok())) return op.Refusal("read");
  if (buf.empty()) return 0;
  const size_t most = std::min(buf.size(), kMaxRw);
  CallEnd ender(ctx, pd_, kPollRead);
  if (short_read_ && PollPlain(pd_)) {
    // The last read took all there was, and new data makes a new edge. To ask the kernel first
    // would mostly be a system call for nothing.
    if (absl::Status s = Wait(&ender, "read"); !s.ok()) return s;
  } else if (absl::Status s = Prepare(&ender, "read"); GORT_UNLIKELY(!s.ok())) {
    return s;
  }
  for (;;) {
    const ssize_t n =
        socket_ ? SysRecv(sysfd_, buf.data(), most) : SysRead(sysfd_, buf.data(), most);
    if (GORT_LIKELY(n >= 0)) {
      const auto got = static_cast<size_t>(n);
      short_read_ = tcp_ && n > 0 && got < most;
      return got;
    }
    if (n != -EAGAIN) return Failed(static_cast<int>(-n), "read");
    if (absl::Status s = Wait(&ender, "read"); !s.ok()) return s;
  }
}

// An empty datagram is sent like any other: the system call is made once, whatever the size.
absl::StatusOr<size_t> NetFd::Write(std::string_view data, const Context* ctx, size_t* written) {
  size_t unwanted;
  size_t& done = written != nullptr ? *written : unwanted;
  done = 0;
  Operation op(this, FdSide::kWrite, ctx);
  if (GORT_UNLIKELY(!op.ok())) return op.Refusal("write");
  CallEnd ender(ctx, pd_, kPollWrite);
  if (absl::Status s = Prepare(&ender, "write"); GORT_UNLIKELY(!s.ok())) return s;
  for (;;) {
    const char* from = data.data() + done;
    const size_t most = std::min(data.size() - done, kMaxRw);
    const ssize_t n = socket_ ? SysSend(sysfd_, from, most) : SysWrite(sysfd_, from, most);
    if (GORT_LIKELY(n >= 0)) {
      done += static_cast<size_t>(n);
      if (GORT_LIKELY(done == data.size())) return done;
      if (n == 0) return Failed(EIO, "write");
      continue;
    }
    if (n != -EAGAIN) return Failed(static_cast<int>(-n), "write");
    if (absl::Status s = Wait(&ender, "write"); !s.ok()) return s;
  }
}

absl::StatusOr<size_t> NetFd::Writev(absl::Span<const std::string_view> pieces, size_t* written) {
  size_t unwanted;
  size_t& total = written != nullptr ? *written : unwanted;
  total = 0;
  Operation op(this, FdSide::kWrite);
  if (GORT_UNLIKELY(!op.ok())) return op.Refusal("writev");
  CallEnd ender(nullptr, pd_, kPollWrite);
  if (absl::Status s = Prepare(&ender, "writev"); !s.ok()) return s;
  size_t skip = 0;  // bytes of pieces[0] that are gone
  for (;;) {
    while (!pieces.empty() && pieces[0].size() == skip) {
      pieces.remove_prefix(1);
      skip = 0;
    }
    if (pieces.empty()) break;
    iovec iov[kMaxIov];
    int n_iov = 0;
    for (size_t bytes = 0;
         n_iov < kMaxIov && static_cast<size_t>(n_iov) < pieces.size() && bytes < kMaxRw; ++n_iov) {
      const std::string_view piece = pieces[n_iov].substr(n_iov == 0 ? skip : 0, kMaxRw);
      iov[n_iov] = {const_cast<char*>(piece.data()), piece.size()};
      bytes += piece.size();
    }
    const ssize_t n = socket_ ? SysSendv(sysfd_, iov, n_iov) : SysWritev(sysfd_, iov, n_iov);
    if (n == -EAGAIN) {
      if (absl::Status s = Wait(&ender, "writev"); !s.ok()) return s;
      continue;
    }
    if (n <= 0) return Failed(n == 0 ? EIO : static_cast<int>(-n), "writev");
    total += static_cast<size_t>(n);
    for (auto left = static_cast<size_t>(n); left > 0;) {
      const size_t here = std::min(left, pieces[0].size() - skip);
      left -= here;
      skip += here;
      if (skip == pieces[0].size() && left > 0) {
        pieces.remove_prefix(1);
        skip = 0;
      }
    }
  }
  return total;
}

absl::StatusOr<Received> NetFd::ReadFrom(absl::Span<char> buf, const Context* ctx) {
  Operation op(this, FdSide::kRead, ctx);
  if (!op.ok()) return op.Refusal("read");
  CallEnd ender(ctx, pd_, kPollRead);
  if (absl::Status s = Prepare(&ender, "read"); !s.ok()) return s;
  for (;;) {
    Received got{};
    const ssize_t n = SysRecvFrom(sysfd_, buf.data(), buf.size(), &got);
    if (n >= 0) return got;
    if (n != -EAGAIN) return Failed(static_cast<int>(-n), "read");
    if (absl::Status s = Wait(&ender, "read"); !s.ok()) return s;
  }
}

absl::StatusOr<size_t> NetFd::WriteTo(std::string_view data, const SocketAddr& to,
                                      const Context* ctx) {
  Operation op(this, FdSide::kWrite, ctx);
  if (!op.ok()) return op.Refusal("write");
  CallEnd ender(ctx, pd_, kPollWrite);
  if (absl::Status s = Prepare(&ender, "write"); !s.ok()) return s;
  for (;;) {
    const ssize_t n = SysSendTo(sysfd_, data, to);
    if (n >= 0) return static_cast<size_t>(n);
    if (n != -EAGAIN) {
      return OpError("write", network_, local_.ToString() + "->" + to.ToString(), nullptr,
                     static_cast<int>(-n));
    }
    if (absl::Status s = Wait(&ender, "write"); !s.ok()) return s;
  }
}

// Called when there is no descriptor or no memory. Waits, each time longer, so that a caller that
// tries again at once does not burn the CPU; Close ends the pause. The pause is a wait for writing,
// because a listener has no other use for that side of its poll descriptor.
absl::Status NetFd::Exhausted(int error, const Context* ctx) {
  pause_ms_ = std::clamp(pause_ms_ * 2, kMinPauseMs, kMaxPauseMs);
  const int64_t until = Nanotime() + pause_ms_ * int64_t{1'000'000};
  PollSetDeadline(pd_, until, kPollWrite);
  CallEnd ender(ctx, pd_, kPollWrite);
  PollResult result;
  do {
    result = ender.Wait();
  } while (result == PollResult::kOk);
  if (result == PollResult::kCancelled) return Ended(*ctx, "accept");
  if (result == PollResult::kClosing) return Failed(result, "accept");
  return Failed(error, "accept");
}

absl::StatusOr<NetFd*> NetFd::Accept(const Context* ctx) {
  Operation op(this, FdSide::kRead, ctx);
  if (!op.ok()) return op.Refusal("accept");
  CallEnd ender(ctx, pd_, kPollRead);
  if (absl::Status s = Prepare(&ender, "accept"); !s.ok()) return s;
  for (;;) {
    SocketAddr from;
    const int n = SysAccept(sysfd_, &from);
    if (n >= 0) {
      pause_ms_ = 0;
      absl::StatusOr<NetFd*> fd = New(n, network_);
      if (!fd.ok()) return fd.status();
      (*fd)->remote_ = from;
      (*fd)->FetchLocal();
      return fd;
    }
    // A connection that broke in the queue is not the caller's business, and neither are errors of
    // the network that accept(2) passes on: the next connection is taken.
    switch (-n) {
      case EAGAIN:
        if (absl::Status s = Wait(&ender, "accept"); !s.ok()) return s;
        continue;
      case ECONNABORTED:
      case ENETDOWN:
      case EPROTO:
      case ENOPROTOOPT:
      case EHOSTDOWN:
      case ENONET:
      case EHOSTUNREACH:
      case ENETUNREACH:
        continue;
      default:
        if (IsExhaustion(-n)) return Exhausted(-n, ctx);
        return Failed(-n, "accept");
    }
  }
}

absl::Status NetFd::Connect(const SocketAddr& to, int64_t when, void (*started)(void*, PollDesc*),
                            void* arg) {
  Operation op(this, FdSide::kWrite);
  if (!op.ok()) return op.Refusal("dial");
  remote_ = to;
  if (when != 0) PollSetDeadline(pd_, when, kPollWrite);
  started(arg, pd_);
  CallEnd ender(nullptr, pd_, kPollWrite);
  if (absl::Status s = Prepare(&ender, "dial"); !s.ok()) return s;
  int error = SysConnect(sysfd_, to);
  while (error == EINPROGRESS || error == EALREADY || error == EINTR) {
    if (absl::Status s = Wait(&ender, "dial"); !s.ok()) return s;
    error = SysConnectResult(sysfd_);
  }
  if (error != 0 && error != EISCONN) return Failed(error, "dial", "connect");
  FetchLocal();
  return absl::OkStatus();
}

void NetFd::FetchLocal() { local_ = SysLocal(sysfd_); }
void NetFd::FetchRemote() { remote_ = SysRemote(sysfd_); }

absl::Status NetFd::Shutdown(int how) {
  if (!mu_.IncRef()) return UseAfterClose("close");
  const int error = shutdown(sysfd_, how) == 0 ? 0 : errno;
  Leave();
  return error == 0 ? absl::OkStatus() : Failed(error, "close", "shutdown");
}

absl::Status NetFd::SetDeadline(absl::Time t, uint32_t mode) {
  if (!mu_.IncRef()) return UseAfterClose("set deadline");
  PollSetDeadline(pd_, PollDeadline(t), mode);
  Leave();
  return absl::OkStatus();
}

absl::Status NetFd::SetOption(int level, int name, const void* value, socklen_t size,
                              const char* what) {
  if (!mu_.IncRef()) return UseAfterClose("set");
  const int error = setsockopt(sysfd_, level, name, value, size) == 0 ? 0 : errno;
  Leave();
  return error == 0 ? absl::OkStatus() : Failed(error, "set", what);
}

}  // namespace gort::rt
