#include "gort/net/pipe.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "gort/net/internal/fd.h"
#include "gort/sync/cond.h"
#include "gort/sync/mutex.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"

namespace gort {
namespace rt {
namespace {

// A deadline of one side of a direction. Guarded by PipeState::mu.
struct PipeDeadline {
  Timer timer;
  bool armed = false;
  bool expired = false;
  uint64_t set = 0;  // how often it was set: the timer of a former one does nothing
};

}  // namespace

// One direction of the two. Guarded by PipeState::mu.
struct PipeHalf {
  std::deque<char> bytes;
  bool ended = false;    // nothing more is written: CloseWrite or Close of the writer
  bool refused = false;  // nobody reads any more: Close of the reader
  PipeDeadline read;
  PipeDeadline write;
};

class PipeState : public std::enable_shared_from_this<PipeState> {
 public:
  explicit PipeState(size_t n) : capacity(std::max<size_t>(n, 1)) {}

  PipeHalf& ReadHalf(int side) { return of_side[1 - side]; }
  PipeHalf& WriteHalf(int side) { return of_side[side]; }

  bool Closed(int side);
  void Set(PipeDeadline* d, absl::Time t) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  absl::Status Failed(const char* op, int side, bool expired, const Context& ctx);

  const size_t capacity;
  gort::Mutex mu;
  Cond changed{mu};                         // anything
  PipeHalf of_side[2] ABSL_GUARDED_BY(mu);  // what that side writes
  bool closed[2] ABSL_GUARDED_BY(mu) = {false, false};
  gort::Mutex writing[2];  // held by the Write that goes on, so that the bytes of two do not mix
};

namespace {

class ABSL_SCOPED_LOCKABLE Locked {
 public:
  explicit Locked(gort::Mutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
  ~Locked() ABSL_UNLOCK_FUNCTION() { mu_->Unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  gort::Mutex* const mu_;
};

// The one Write of a side that goes on. Its turn is waited for until ctx ends, and not had then.
class Turn {
 public:
  Turn(gort::Mutex* mu, const Context& ctx) : mu_(mu), mine_(mu->Lock(ctx).ok()) {}
  ~Turn() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (mine_) mu_->Unlock();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  gort::Mutex* const mu_;
  const bool mine_;
};

// Wakes those who wait when ctx ends, from the first wait on.
class Waking {
 public:
  Waking(const Context& ctx, PipeState* state) : ctx_(ctx), state_(state) {}
  ~Waking() {
    if (begun_) stop_();
  }
  Waking(const Waking&) = delete;
  Waking& operator=(const Waking&) = delete;

  // Requires state->mu.
  void Wait() {
    if (!begun_ && ctx_.Done()) Begin();
    state_->changed.Wait();
  }

 private:
  void Begin() {
    begun_ = true;
    stop_ = AfterFunc(ctx_, [s = state_->shared_from_this()] {
      Locked l(&s->mu);
      s->changed.Broadcast();
    });
  }

  const Context& ctx_;
  PipeState* const state_;
  StopFunc stop_;
  bool begun_ = false;
};

}  // namespace

bool PipeState::Closed(int side) {
  Locked l(&mu);
  return closed[side];
}

void PipeState::Set(PipeDeadline* d, absl::Time t) {
  if (d->armed) d->timer.Stop();
  d->timer = Timer();  // and with it what its function keeps
  const absl::Duration left = t - Now();
  d->expired = left <= absl::ZeroDuration();
  d->armed = !d->expired && t != absl::InfiniteFuture();
  const uint64_t set = ++d->set;
  if (d->armed) {
    d->timer = AfterFunc(left, [s = shared_from_this(), d, set] {
      Locked l(&s->mu);
      if (d->set != set) return;
      d->timer = Timer();
      d->armed = false;
      d->expired = true;
      s->changed.Broadcast();
    });
  }
  changed.Broadcast();
}

// Why a call on this side cannot go on; ok: it can.
absl::Status PipeState::Failed(const char* op, int side, bool expired,
                               const Context& ctx) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const std::string prefix = std::string(op) + " pipe: ";
  if (closed[side]) return absl::CancelledError(prefix + kClosedText);
  if (expired) return absl::DeadlineExceededError(prefix + kTimeoutText);
  const absl::Status over = ctx.Err();
  return over.ok() ? over : absl::Status(over.code(), prefix + std::string(over.message()));
}

namespace {

absl::Status AfterClose(const char* op) {
  return absl::FailedPreconditionError(std::string(op) + " pipe: " + kClosedText);
}

absl::StatusOr<size_t> PipeRead(PipeState* s, int side, const Context& ctx,
                                absl::Span<char> buf) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (s == nullptr) return NoConnection("read");
  Waking waking(ctx, s);
  Locked l(&s->mu);
  if (s->closed[side]) return AfterClose("read");
  PipeHalf& half = s->ReadHalf(side);
  for (;;) {
    if (absl::Status e = s->Failed("read", side, half.read.expired, ctx); !e.ok()) return e;
    if (buf.empty() || !half.bytes.empty() || half.ended) break;
    waking.Wait();
  }
  const size_t n = std::min(buf.size(), half.bytes.size());
  std::copy_n(half.bytes.begin(), n, buf.begin());
  half.bytes.erase(half.bytes.begin(), half.bytes.begin() + static_cast<ptrdiff_t>(n));
  if (n > 0) s->changed.Broadcast();
  return n;
}

absl::StatusOr<size_t> PipeWrite(PipeState* s, int side, const Context& ctx, std::string_view data,
                                 size_t* written) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  *written = 0;
  if (s == nullptr) return NoConnection("write");
  if (s->Closed(side)) return AfterClose("write");
  const Turn turn(&s->writing[side], ctx);
  Waking waking(ctx, s);
  Locked l(&s->mu);
  PipeHalf& half = s->WriteHalf(side);
  for (;;) {
    if (absl::Status e = s->Failed("write", side, half.write.expired, ctx); !e.ok()) return e;
    if (half.refused || half.ended) {
      return absl::FailedPreconditionError("write pipe: Broken pipe");
    }
    const size_t n = std::min(s->capacity - half.bytes.size(), data.size() - *written);
    half.bytes.insert(half.bytes.end(), data.begin() + static_cast<ptrdiff_t>(*written),
                      data.begin() + static_cast<ptrdiff_t>(*written + n));
    *written += n;
    if (n > 0) s->changed.Broadcast();
    if (*written == data.size()) return *written;
    waking.Wait();
  }
}

absl::Status PipeClose(PipeState* s, int side) {
  if (s == nullptr) return NoConnection("close");
  Locked l(&s->mu);
  if (s->closed[side]) return AfterClose("close");
  s->closed[side] = true;
  s->WriteHalf(side).ended = true;
  s->ReadHalf(side).refused = true;
  s->Set(&s->ReadHalf(side).read, absl::InfiniteFuture());
  s->Set(&s->WriteHalf(side).write, absl::InfiniteFuture());
  return absl::OkStatus();
}

absl::Status SetPipeDeadline(PipeState* s, int side, absl::Time t, bool read, bool write) {
  if (s == nullptr) return NoConnection("set deadline");
  Locked l(&s->mu);
  if (s->closed[side]) return AfterClose("set deadline");
  if (read) s->Set(&s->ReadHalf(side).read, t);
  if (write) s->Set(&s->WriteHalf(side).write, t);
  return absl::OkStatus();
}

}  // namespace
}  // namespace rt

// Each call below has a share in the state: both ends may be destroyed before it returns.

PipeConn& PipeConn::operator=(PipeConn&& other) noexcept {
  PipeConn old(std::exchange(state_, std::move(other.state_)), side_);
  side_ = other.side_;
  return *this;
}

PipeConn::~PipeConn() {
  if (state_ != nullptr) Close().IgnoreError();
}

absl::StatusOr<size_t> PipeConn::Read(absl::Span<char> buf) { return Read(Background(), buf); }
absl::StatusOr<size_t> PipeConn::Read(const Context& ctx, absl::Span<char> buf) {
  const std::shared_ptr<rt::PipeState> state = state_;
  return rt::PipeRead(state.get(), side_, ctx, buf);
}

absl::StatusOr<size_t> PipeConn::Write(std::string_view data) { return Write(Background(), data); }
absl::StatusOr<size_t> PipeConn::Write(const Context& ctx, std::string_view data) {
  size_t written;
  return Write(ctx, data, &written);
}
absl::StatusOr<size_t> PipeConn::Write(std::string_view data, size_t* written) {
  return Write(Background(), data, written);
}
absl::StatusOr<size_t> PipeConn::Write(const Context& ctx, std::string_view data, size_t* written) {
  const std::shared_ptr<rt::PipeState> state = state_;
  return rt::PipeWrite(state.get(), side_, ctx, data, written);
}

absl::Status PipeConn::CloseWrite() {
  const std::shared_ptr<rt::PipeState> state = state_;
  if (state == nullptr) return rt::NoConnection("close");
  rt::Locked l(&state->mu);
  if (state->closed[side_]) return rt::AfterClose("close");
  state->WriteHalf(side_).ended = true;
  state->changed.Broadcast();
  return absl::OkStatus();
}

absl::Status PipeConn::Close() {
  const std::shared_ptr<rt::PipeState> state = state_;
  return rt::PipeClose(state.get(), side_);
}

absl::Status PipeConn::SetDeadline(absl::Time t) {
  const std::shared_ptr<rt::PipeState> state = state_;
  return rt::SetPipeDeadline(state.get(), side_, t, true, true);
}
absl::Status PipeConn::SetReadDeadline(absl::Time t) {
  const std::shared_ptr<rt::PipeState> state = state_;
  return rt::SetPipeDeadline(state.get(), side_, t, true, false);
}
absl::Status PipeConn::SetWriteDeadline(absl::Time t) {
  const std::shared_ptr<rt::PipeState> state = state_;
  return rt::SetPipeDeadline(state.get(), side_, t, false, true);
}

std::pair<PipeConn, PipeConn> Pipe(size_t capacity) {
  auto state = std::make_shared<rt::PipeState>(capacity);
  return {PipeConn(state, 0), PipeConn(state, 1)};
}

}  // namespace gort
