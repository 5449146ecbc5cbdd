// Contexts: what is cancelled when, with what error, and what is left of it.
#include "gort/context/context.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"
#include "gort/timer/sleep.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Probe;

bool IsDone(const Context& ctx) { return ctx.Done().TryRecv(nullptr) == RecvState::kClosed; }

void ExpectLive(const Context& ctx) {
  EXPECT_TRUE(ctx.Err().ok());
  EXPECT_TRUE(Cause(ctx).ok());
  EXPECT_EQ(ctx.Done().TryRecv(nullptr), RecvState::kEmpty);
}

void ExpectCancelled(const Context& ctx) {
  EXPECT_TRUE(IsDone(ctx));
  EXPECT_EQ(ctx.Err(), absl::CancelledError("context canceled"));
}

void ExpectExpired(const Context& ctx) {
  EXPECT_TRUE(IsDone(ctx));
  EXPECT_EQ(ctx.Err(), absl::DeadlineExceededError("context deadline exceeded"));
}

inline constexpr ContextKey<std::string> kUser("user");
inline constexpr ContextKey<std::string> kOther("other");
inline constexpr ContextKey<int> kNumber("number");

TEST(ContextTest, BackgroundIsNeverDone) {
  InGort([] {
    Context ctx = Background();
    EXPECT_FALSE(ctx.Done());
    EXPECT_TRUE(ctx.Err().ok());
    EXPECT_TRUE(Cause(ctx).ok());
    EXPECT_FALSE(ctx.Deadline().has_value());
    EXPECT_EQ(ctx.Value(kUser), nullptr);
    EXPECT_EQ(ctx, Context());
    EXPECT_EQ(ctx, TODO());
  });
}

TEST(ContextTest, CancelIsSeenByAllBelowAndNobodyAbove) {
  InGort([] {
    auto [top, cancel_top] = WithCancel(Background());
    auto [mid, cancel_mid] = WithCancel(top);
    Context value = WithValue(mid, kNumber, 7);
    auto [leaf, cancel_leaf] = WithTimeout(value, absl::Hours(1));
    auto [side, cancel_side] = WithCancel(top);
    for (const Context& c : {top, mid, value, leaf, side}) ExpectLive(c);
    Probe waits([leaf = leaf] { leaf.Done().Recv(); });
    EXPECT_EQ(waits.Waits(), "chan receive");
    cancel_mid();
    ExpectCancelled(mid);
    ExpectCancelled(value);
    ExpectCancelled(leaf);
    EXPECT_TRUE(waits.Finish());
    ExpectLive(top);
    ExpectLive(side);
    cancel_top();
    ExpectCancelled(top);
    ExpectCancelled(side);
    // What is derived from a cancelled context is cancelled from the start.
    auto [late, cancel_late] = WithCancel(mid);
    ExpectCancelled(late);
    auto [late_too, cancel_late_too] = WithTimeout(WithValue(mid, kNumber, 8), absl::Hours(1));
    ExpectCancelled(late_too);
  });
}

TEST(ContextTest, CancelFuncIsCopyableAndIdempotent) {
  InGort([] {
    CancelFunc none;
    none();
    std::function<void()> f;
    Context ctx;
    {
      auto [c, cancel] = WithCancel(Background());
      CancelFunc copy = cancel;
      f = copy;
      ctx = c;
    }
    ExpectLive(ctx);
    f();
    f();
    ExpectCancelled(ctx);
    // The first reason counts.
    auto [expired, cancel] = WithTimeout(Background(), absl::ZeroDuration());
    cancel();
    ExpectExpired(expired);
  });
}

TEST(ContextTest, DoneIsTheSameChannelEachTime) {
  InGort([] {
    auto [ctx, cancel] = WithCancel(Background());
    EXPECT_EQ(ctx.Done(), ctx.Done());
    EXPECT_EQ(ctx.Done(), WithValue(ctx, kNumber, 1).Done());
    cancel();
    EXPECT_EQ(ctx.Done(), WithValue(ctx, kNumber, 1).Done());
  });
}

TEST(ContextTest, Deadlines) {
  InGort([] {
    const absl::Time soon = Now() + absl::Milliseconds(20);
    const absl::Time later = Now() + absl::Hours(1);
    auto [ctx, cancel] = WithDeadline(Background(), soon);
    EXPECT_EQ(ctx.Deadline(), soon);
    auto [inner, cancel_inner] = WithDeadline(ctx, later);
    EXPECT_EQ(inner.Deadline(), soon) << "the earlier one holds";
    auto [shorter, cancel_shorter] = WithTimeout(WithValue(ctx, kNumber, 1), absl::Milliseconds(1));
    EXPECT_LT(*shorter.Deadline(), soon);
    shorter.Done().Recv();
    ExpectExpired(shorter);
    inner.Done().Recv();
    EXPECT_GE(Now(), soon);
    ExpectExpired(inner);
    ExpectExpired(ctx);
    auto [cancelled, cancel_it] = WithDeadline(Background(), later);
    cancel_it();
    ExpectCancelled(cancelled);
    EXPECT_EQ(cancelled.Deadline(), later);
  });
}

TEST(ContextTest, ExtremeDeadlines) {
  InGort([] {
    for (absl::Time t : {absl::InfinitePast(), absl::UnixEpoch(), Now()}) {
      auto [ctx, cancel] = WithDeadline(Background(), t);
      ExpectExpired(ctx);
      EXPECT_EQ(ctx.Deadline(), t);
    }
    auto [expired, cancel_expired] = WithTimeout(Background(), -absl::InfiniteDuration());
    ExpectExpired(expired);
    for (absl::Duration d : {absl::InfiniteDuration(), absl::Hours(24) * 366 * 1000}) {
      auto [ctx, cancel] = WithTimeout(Background(), d);
      ExpectLive(ctx);
      EXPECT_EQ(ctx.Deadline().has_value(), d != absl::InfiniteDuration());
      cancel();
    }
    auto [chrono, cancel_chrono] = WithTimeout(Background(), std::chrono::hours(1));
    EXPECT_TRUE(chrono.Deadline().has_value());
    cancel_chrono();
    auto [point, cancel_point] = WithDeadline(Background(), std::chrono::system_clock::now());
    ExpectExpired(point);
  });
}

TEST(ContextTest, AnyChronoDuration) {
  InGort([] {
    auto left = [](auto d) { return *WithTimeout(Background(), d).first.Deadline() - Now(); };
    auto never = [](auto d) { return !WithTimeout(Background(), d).first.Deadline(); };
    EXPECT_GT(left(std::chrono::days(1)), absl::Hours(23));
    EXPECT_GT(left(std::chrono::years(100)), absl::Hours(24 * 365 * 99));
    EXPECT_GT(left(std::chrono::duration<float>(3600)), absl::Minutes(59));
    EXPECT_GT(left(std::chrono::duration<uint8_t, std::ratio<3600>>(2)), absl::Minutes(119));
    EXPECT_GT(left(std::chrono::duration<int64_t, std::pico>::max()), absl::Hours(2000));
    EXPECT_TRUE(never(std::chrono::years(1000)));
    EXPECT_TRUE(never(std::chrono::hours::max()));
    EXPECT_TRUE(never(std::chrono::duration<double>(INFINITY)));
    ExpectExpired(WithTimeout(Background(), std::chrono::weeks(-1)).first);
    ExpectExpired(WithTimeout(Background(), std::chrono::hours::min()).first);
    ExpectExpired(WithTimeout(Background(), std::chrono::duration<float>(NAN)).first);
    const auto now = std::chrono::system_clock::now();
    EXPECT_TRUE(WithDeadline(Background(), now + std::chrono::duration<float>(1)).first.Deadline());
    ExpectExpired(WithDeadline(Background(), std::chrono::sys_days()).first);
  });
}

TEST(ContextTest, ValuesByKey) {
  InGort([] {
    std::string name = "ann";
    Context a = WithValue(Background(), kUser, name);
    Context b = WithValue(a, kNumber, 5);
    auto [c, cancel] = WithCancel(b);
    Context d = WithValue(c, kUser, "bob");
    EXPECT_EQ(*a.Value(kUser), "ann");
    EXPECT_EQ(*c.Value(kUser), "ann");
    EXPECT_EQ(*d.Value(kUser), "bob") << "the nearest";
    EXPECT_EQ(*d.Value(kNumber), 5);
    EXPECT_EQ(a.Value(kNumber), nullptr);
    EXPECT_EQ(d.Value(kOther), nullptr) << "same type, another key";
    EXPECT_STREQ(kUser.name(), "user");
    cancel();
    EXPECT_EQ(*d.Value(kUser), "bob") << "cancelled or not";
    static constexpr ContextKey<std::unique_ptr<int>> kMoveOnly;
    EXPECT_EQ(**WithValue(d, kMoveOnly, std::make_unique<int>(3)).Value(kMoveOnly), 3);
  });
}

TEST(ContextTest, ValueOfATypeWithOperatorsOfItsOwn) {
  struct NoAddress {
    int n;
    const NoAddress* operator&() const = delete;  // NOLINT(google-runtime-operator)
  };
  static constexpr ContextKey<NoAddress> kKey;
  Context ctx = WithValue(Background(), kKey, NoAddress{3});
  EXPECT_EQ(ctx.Value(kKey)->n, 3);
}

TEST(ContextTest, ThrowingValueLeavesTheParentAlone) {
  struct Throws {
    Throws() = default;
    Throws(const Throws&) { throw std::runtime_error("copy"); }
  };
  static constexpr ContextKey<Throws> kThrows;
  InGort([] {
    auto [ctx, cancel] = WithCancel(Background());
    EXPECT_THROW(WithValue(ctx, kThrows, Throws()), std::runtime_error);
    ExpectLive(ctx);
    cancel();
  });
}

TEST(ContextTest, CausesGoDown) {
  InGort([] {
    const absl::Status why = absl::InternalError("why");
    auto [top, cancel_top] = WithCancelCause(Background());
    auto [own, cancel_own] = WithCancelCause(top);
    auto [below, cancel_below] = WithTimeout(top, absl::Hours(1));
    EXPECT_TRUE(Cause(top).ok());
    cancel_own(absl::AbortedError("own"));
    cancel_top(why);
    cancel_top(absl::UnknownError("too late"));
    for (const Context& c : {top, below, WithValue(below, kNumber, 1)}) {
      ExpectCancelled(c);
      EXPECT_EQ(Cause(c), why);
    }
    EXPECT_EQ(Cause(own), absl::AbortedError("own"));
    auto [late, cancel_late] = WithCancel(below);
    EXPECT_EQ(Cause(late), why);
    auto [plain, cancel_plain] = WithCancelCause(Background());
    cancel_plain(absl::OkStatus());
    EXPECT_EQ(Cause(plain), absl::CancelledError("context canceled"));
    auto [expired, cancel_expired] = WithTimeout(Background(), absl::ZeroDuration());
    EXPECT_EQ(Cause(expired), absl::DeadlineExceededError("context deadline exceeded"));
  });
}

TEST(ContextTest, CausesOfDeadlines) {
  InGort([] {
    const absl::Status why = absl::UnavailableError("took too long");
    auto [ctx, cancel] = WithTimeoutCause(Background(), std::chrono::milliseconds(1), why);
    Context below = WithCancel(ctx).first;
    ctx.Done().Recv();
    ExpectExpired(ctx);
    EXPECT_EQ(Cause(ctx), why);
    EXPECT_EQ(Cause(below), why);
    auto past = WithDeadlineCause(Background(), absl::UnixEpoch(), why).first;
    ExpectExpired(past);
    EXPECT_EQ(Cause(past), why);
    auto [early, cancel_early] = WithDeadlineCause(
        Background(), std::chrono::system_clock::now() + std::chrono::hours(1), why);
    cancel_early();
    ExpectCancelled(early);
    EXPECT_EQ(Cause(early), early.Err()) << "not the deadline's";
    auto [parent, cancel_parent] = WithTimeout(Background(), absl::Milliseconds(1));
    auto later = WithTimeoutCause(parent, absl::Hours(1), why).first;
    later.Done().Recv();
    EXPECT_EQ(Cause(later), later.Err()) << "the parent's deadline, which has no cause";
  });
}

TEST(ContextTest, WithoutCancelKeepsValuesOnly) {
  InGort([] {
    auto [ctx, cancel] = WithTimeout(WithValue(Background(), kNumber, 4), absl::Hours(1));
    Context apart = WithoutCancel(ctx);
    EXPECT_FALSE(apart.Done());
    EXPECT_FALSE(apart.Deadline().has_value());
    auto [below, cancel_below] = WithCancel(apart);
    cancel();
    EXPECT_TRUE(apart.Err().ok());
    ExpectLive(below);
    EXPECT_EQ(*below.Value(kNumber), 4);
    cancel_below();
    ExpectCancelled(below);
    EXPECT_EQ(WithoutCancel(Background()), Background());
  });
}

TEST(ContextTest, AfterFuncRunsOnceOrIsStopped) {
  InGort([] {
    std::atomic<int> ran{0}, stopped{0}, at_once{0}, never{0};
    auto [ctx, cancel] = WithCancel(Background());
    StopFunc keep = AfterFunc(ctx, [&] { ++ran; });
    AfterFunc(WithValue(ctx, kNumber, 1), [&] { ++ran; });  // goes on without its handles
    StopFunc stop = AfterFunc(ctx, [&, p = std::make_unique<int>(1)] { stopped += *p; });
    EXPECT_TRUE(stop());
    EXPECT_FALSE(stop());
    EXPECT_EQ(ran, 0);
    cancel();
    EXPECT_TRUE(Eventually([&] { return ran == 2; }));
    EXPECT_FALSE(keep());
    StopFunc late = AfterFunc(ctx, [&] { ++at_once; });
    EXPECT_TRUE(Eventually([&] { return at_once == 1; }));
    EXPECT_FALSE(late());
    StopFunc idle = AfterFunc(Background(), [&] { ++never; });
    EXPECT_TRUE(idle());
    EXPECT_FALSE(StopFunc()());
    EXPECT_EQ(stopped, 0);
    EXPECT_EQ(never, 0);
    EXPECT_EQ(ran, 2);
  });
}

// Something whose life can be watched from outside of a context.
std::weak_ptr<int> Watch(Context* ctx) {
  static constexpr ContextKey<std::shared_ptr<int>> kWatched;
  auto p = std::make_shared<int>();
  *ctx = WithValue(*ctx, kWatched, p);
  return p;
}

TEST(ContextTest, NothingIsLeftOfWhatWasDropped) {
  InGort([] {
    auto [root, cancel_root] = WithCancel(Background());
    std::vector<std::weak_ptr<int>> watched;
    auto derive = [&, root = root](bool cancel_it, bool timed) {
      Context ctx = root;
      watched.push_back(Watch(&ctx));
      auto [c, cancel] = timed ? WithTimeout(ctx, absl::Hours(1)) : WithCancel(ctx);
      auto [below, cancel_below] = WithCancel(c);
      if (cancel_it) cancel();
    };
    derive(false, false);
    derive(true, false);
    derive(true, true);
    for (auto& w : watched) EXPECT_TRUE(w.expired());
    // A timer that is armed keeps its context, as one that nobody cancels would in Go.
    Context ctx = root;
    std::weak_ptr<int> timed = Watch(&ctx);
    ctx = WithTimeout(ctx, absl::Milliseconds(1)).first;
    RecvChan<Unit> done = ctx.Done();
    ctx = Context();
    done.Recv();
    EXPECT_TRUE(Eventually([&] { return timed.expired(); }));
    ExpectLive(root);
    cancel_root();
  });
}

TEST(ContextTest, StoppedAfterFuncIsDestroyed) {
  InGort([] {
    auto [ctx, cancel] = WithCancel(Background());
    auto p = std::make_shared<int>();
    std::weak_ptr<int> watched = p;
    StopFunc stop = AfterFunc(ctx, [p = std::move(p)] {});
    EXPECT_FALSE(watched.expired());
    EXPECT_TRUE(stop());
    EXPECT_TRUE(watched.expired());
  });
}

// What a context keeps may use the very context when it is destroyed.
TEST(ContextTest, CancelDestroysAfterItHasSettled) {
  struct Session {
    explicit Session(CancelFunc own) : cancel(std::move(own)) {}
    ~Session() { cancel(); }
    const CancelFunc cancel;
  };
  static constexpr ContextKey<std::shared_ptr<Session>> kSession;
  InGort([] {
    auto [root, cancel_root] = WithCancel(Background());
    auto [ctx, cancel] = WithCancel(root);
    std::weak_ptr<Session> watched;
    for (const CancelFunc& own : {cancel_root, cancel}) {
      auto session = std::make_shared<Session>(own);
      watched = session;
      // Goes on without its handles; the cancellation drops the last reference to both.
      AfterFunc(WithValue(ctx, kSession, std::move(session)), [] {});
    }
    Probe canceller([&, cancel_root = cancel_root] { cancel_root(); });
    EXPECT_EQ(canceller.Waits(), "");
    EXPECT_TRUE(watched.expired());
    ExpectCancelled(ctx);
  });
}

// Neither cancelling nor dropping recurses: the default stack would not hold it.
TEST(ContextTest, DeepAndWideTrees) {
  InGort([] {
    constexpr int kDepth = GORT_TEST_SANITIZED ? 5'000 : 100'000;
    auto [root, cancel] = WithCancel(Background());
    std::atomic<bool> finished{false};
    Chan<Unit> over = MakeChan<Unit>();
    Go([&, root = root, cancel = cancel] {  // on a small stack
      Context deep = root;
      for (int i = 0; i < kDepth; ++i) {
        deep = i % 3 == 0 ? WithValue(deep, kNumber, i) : WithCancel(deep).first;
      }
      std::vector<Context> wide;
      for (int i = 0; i < kDepth; ++i) wide.push_back(WithCancel(root).first);
      cancel();
      ExpectCancelled(deep);
      for (const Context& c : wide) {
        if (c.Err().ok()) ADD_FAILURE();
      }
      deep = Context();
      finished = true;
      over.Close();
    });
    over.Recv();
    EXPECT_TRUE(finished);
  });
}

TEST(ContextTest, FromForeignThreads) {
  Context ctx;
  CancelFunc cancel;
  std::atomic<int> seen{0};
  std::thread waits[3];
  std::tie(ctx, cancel) = WithCancel(Background());  // this thread is one, too
  for (std::thread& t : waits) {
    t = AttachedThread([&, ctx] {
      auto [below, cancel_below] = WithTimeout(ctx, absl::Hours(1));
      below.Done().Recv();
      if (below.Err().code() == absl::StatusCode::kCancelled) ++seen;
    });
  }
  std::thread cancels = AttachedThread([cancel] { cancel(); });
  for (std::thread& t : waits) t.join();
  cancels.join();
  EXPECT_EQ(seen, 3);
  InGort([&] { ExpectCancelled(ctx); });
  // A deadline is met without a goroutine that waits for it.
  auto [timed, cancel_timed] = WithTimeout(Background(), absl::Milliseconds(5));
  timed.Done().Recv();
  EXPECT_EQ(timed.Err().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ContextTest, InASelect) {
  InGort([] {
    auto [ctx, cancel] = WithTimeout(Background(), absl::Milliseconds(2));
    Chan<int> never = MakeChan<int>();
    EXPECT_EQ(Select(OnRecv(never), OnRecv(ctx.Done())), 1);
    EXPECT_EQ(Select(OnRecv(never), OnRecv(Background().Done()), Default()), 2);
  });
}

}  // namespace
}  // namespace gort
