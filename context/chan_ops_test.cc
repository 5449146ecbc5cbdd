// Send and Recv with a context: what they do at once, what ends them, and that at the end a value is
// either sent or with its sender.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gort/base/panic.h"
#include "gort/base/rand.h"
#include "gort/chan/chan.h"
#include "gort/context/context.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;

struct Cancellable {
  std::pair<Context, CancelFunc> both = WithCancel(Background());
  const Context& ctx = both.first;
  void Cancel() const { both.second(); }
};

// ---- what goes at once ----

TEST(ChanOpsTest, WhatIsPossibleIsDone) {
  InGort([] {
    Cancellable c;
    for (const Context& ctx :
         {Background(), c.ctx, WithValue(Background(), ContextKey<int>(), 1)}) {
      auto ch = MakeChan<std::unique_ptr<int>>(1);
      auto v = std::make_unique<int>(7);
      EXPECT_TRUE(ch.Send(ctx, std::move(v)).ok());
      EXPECT_EQ(v, nullptr);
      absl::StatusOr<std::optional<std::unique_ptr<int>>> got = ch.Recv(ctx);
      ASSERT_TRUE(got.ok());
      EXPECT_EQ(**got.value(), 7);
      ch.Close();
      got = ch.Recv(ctx);
      ASSERT_TRUE(got.ok());
      EXPECT_EQ(got.value(), std::nullopt) << "closed and drained is no error";
      EXPECT_THROW(ch.Send(ctx, std::make_unique<int>(1)).IgnoreError(), Panic);
    }
  });
}

TEST(ChanOpsTest, ACancelledContextComesFirst) {
  InGort([] {
    Cancellable c;
    c.Cancel();
    auto ch = MakeChan<std::string>(2);
    ch.Send("waits");
    std::string v = "mine";
    EXPECT_EQ(ch.Send(c.ctx, std::move(v)), c.ctx.Err());
    EXPECT_EQ(v, "mine");
    EXPECT_EQ(ch.Recv(c.ctx).status(), c.ctx.Err());
    EXPECT_EQ(ch.Len(), 1u);
    ch.Close();
    EXPECT_EQ(ch.Send(c.ctx, v), c.ctx.Err()) << "before Panic";
    EXPECT_EQ(ch.Recv(c.ctx).status().code(), absl::StatusCode::kCancelled);
  });
}

TEST(ChanOpsTest, ViewsAndConversions) {
  InGort([] {
    Cancellable c;
    auto ch = MakeChan<std::string>(3);
    const SendChan<std::string> in = ch;
    const RecvChan<std::string> out = ch;
    const std::string text = "const";
    EXPECT_TRUE(in.Send(c.ctx, "literal").ok());
    EXPECT_TRUE(in.Send(c.ctx, text).ok());
    EXPECT_TRUE(in.Send(Background(), text).ok());
    EXPECT_EQ(**out.Recv(c.ctx), "literal");
    EXPECT_EQ(**out.Recv(c.ctx), "const");
    auto longs = MakeChan<int64_t>(1);
    EXPECT_TRUE(longs.Send(c.ctx, 5).ok());
    EXPECT_EQ(longs.Recv(c.ctx).value(), 5);
  });
}

// ---- what waits ----

TEST(ChanOpsTest, ThePeerEndsTheWait) {
  InGort([] {
    Cancellable c;
    auto ch = MakeChan<std::string>();
    std::optional<std::string> got;
    Probe receiver([&] { got = *ch.Recv(c.ctx); });
    ASSERT_EQ(receiver.Waits(), "select");
    ch.Send("to a receiver");
    ASSERT_TRUE(receiver.Finish());
    EXPECT_EQ(got, "to a receiver");
    absl::Status sent = absl::UnknownError("");
    Probe sender([&] { sent = ch.Send(c.ctx, "from a sender"); });
    ASSERT_EQ(sender.Waits(), "select");
    EXPECT_EQ(ch.Recv(), "from a sender");
    ASSERT_TRUE(sender.Finish());
    EXPECT_TRUE(sent.ok());
  });
}

TEST(ChanOpsTest, CancelEndsTheWait) {
  InGort([] {
    for (const bool nil : {false, true}) {
      Cancellable c;
      auto ch = nil ? Chan<std::unique_ptr<int>>() : MakeChan<std::unique_ptr<int>>();
      absl::Status received, sent;
      auto v = std::make_unique<int>(7);
      const int* address = v.get();
      Probe receiver([&] { received = ch.Recv(c.ctx).status(); });
      Probe sender([&, other = nil ? ch : MakeChan<std::unique_ptr<int>>()] {
        sent = other.Send(c.ctx, std::move(v));
      });
      ASSERT_EQ(receiver.Waits(), "select");
      ASSERT_EQ(sender.Waits(), "select");
      c.Cancel();
      ASSERT_TRUE(receiver.Finish());
      ASSERT_TRUE(sender.Finish());
      EXPECT_EQ(received, c.ctx.Err());
      EXPECT_EQ(sent, c.ctx.Err());
      EXPECT_EQ(v.get(), address);
    }
  });
}

TEST(ChanOpsTest, ADeadlineEndsTheWait) {
  InGort([] {
    auto [ctx, cancel] = WithTimeout(Background(), absl::Milliseconds(1));
    EXPECT_EQ(MakeChan<int>().Recv(ctx).status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(MakeChan<int>().Send(ctx, 1).code(), absl::StatusCode::kDeadlineExceeded);
    cancel();
  });
}

TEST(ChanOpsTest, CloseEndsTheWait) {
  InGort([] {
    Cancellable c;
    auto ch = MakeChan<std::unique_ptr<int>>();
    bool end = false;
    Probe receiver([&] { end = !ch.Recv(c.ctx).value().has_value(); });
    ASSERT_EQ(receiver.Waits(), "select");
    ch.Close();
    ASSERT_TRUE(receiver.Finish());
    EXPECT_TRUE(end);
    auto other = MakeChan<std::unique_ptr<int>>();
    auto v = std::make_unique<int>(7);
    std::string what;
    Probe sender([&] {
      try {
        other.Send(c.ctx, std::move(v)).IgnoreError();
      } catch (const Panic& panic) {
        what = panic.what();
      }
    });
    ASSERT_EQ(sender.Waits(), "select");
    other.Close();
    ASSERT_TRUE(sender.Finish());
    EXPECT_EQ(what, "send on closed channel");
    EXPECT_NE(v, nullptr) << "what panics was not sent";
  });
}

// ---- elements of every kind come back ----

struct alignas(128) Wide {
  int v;
};
template <size_t n>
struct Sized {
  explicit Sized(int k) : v(k), owner(new int(k)) { room.back() = static_cast<char>(k); }
  bool Is(int k) const { return v == k && owner && *owner == k && room.back() == k; }
  const int v;  // neither default-constructible nor assignable
  std::unique_ptr<int> owner;
  std::array<char, n> room;
};
// Its move may throw; it can be copied.
struct Copied {
  explicit Copied(int k) : v(k) {}
  Copied(const Copied& o) : v(o.v) { Burn(); }
  Copied(Copied&& o) : v(o.v) {  // NOLINT: may throw
    Burn();
    o.v = -1;
  }
  static void Burn() {
    if (fuse >= 0 && fuse-- == 0) throw std::runtime_error("move");
  }
  int v;
  static inline int fuse = -1;
};
// Its move may throw, and there is no copy.
struct Moved {
  explicit Moved(int k) : v(k) {}
  Moved(Moved&& o) noexcept(false) : v(o.v) {
    Copied::Burn();
    o.v = -1;
  }
  Moved& operator=(Moved&& o) noexcept(false) {
    Copied::Burn();
    v = std::exchange(o.v, -1);
    return *this;
  }
  int v;
};

// Waits with *v on a channel that nobody receives from, until the context ends it.
template <class T>
absl::Status SendInVain(T* v) {
  Cancellable c;
  auto ch = MakeChan<T>();
  absl::Status status;
  Probe sender([&] { status = ch.Send(c.ctx, std::move(*v)); });
  EXPECT_EQ(sender.Waits(), "select");
  c.Cancel();
  EXPECT_TRUE(sender.Finish());
  return status;
}

template <size_t n>
void SizedComesBack() {
  auto v = std::make_unique<Sized<n>>(5);
  EXPECT_FALSE(SendInVain(v.get()).ok());
  EXPECT_TRUE(v->Is(5)) << n;
  // And it goes: through a buffer, on the heap, without a copy in any frame.
  auto ch = MakeChan<Sized<n>>(1);
  Cancellable c;
  EXPECT_TRUE(ch.Send(c.ctx, std::move(*v)).ok());
  EXPECT_EQ(v->owner, nullptr);
  for (auto&& got : ch) {
    EXPECT_TRUE(got.Is(5));
    ch.Close();
  }
}

TEST(ChanOpsTest, ElementsOfAnySizeComeBack) {
  InGort([] {
    SizedComesBack<64>();
    SizedComesBack<4 << 10>();
    SizedComesBack<1 << 20>();
    Wide w{3};
    EXPECT_FALSE(SendInVain(&w).ok());
    EXPECT_EQ(w.v, 3);
  });
}

TEST(ChanOpsTest, MovesThatThrow) {
  InGort([] {
    Copied v(1);
    EXPECT_FALSE(SendInVain(&v).ok());
    EXPECT_EQ(v.v, 1) << "it was copied";
    Cancellable c;
    auto ch = MakeChan<Copied>(1);
    Copied::fuse = 0;
    EXPECT_THROW(ch.Send(c.ctx, std::move(v)).IgnoreError(), std::runtime_error);
    EXPECT_EQ(v.v, 1);
    EXPECT_EQ(ch.Len(), 0u);
    Moved m(2);
    EXPECT_FALSE(SendInVain(&m).ok());
    EXPECT_EQ(m.v, 2);
    // A receive whose move out of the box throws: the channel has the element again.
    ch.Send(Copied(3));
    Copied::fuse = 0;
    EXPECT_THROW(ch.Recv(c.ctx).IgnoreError(), std::runtime_error);
    EXPECT_EQ((*ch.Recv(c.ctx))->v, 3);
  });
}

// A move back that throws leaves the call.
TEST(ChanOpsTest, AMoveBackThatThrowsComesOut) {
  InGort([] {
    Cancellable c;
    auto ch = MakeChan<Moved>();
    Moved m(2);
    bool threw = false;
    Probe sender([&] {
      try {
        ch.Send(c.ctx, std::move(m)).IgnoreError();
      } catch (const std::runtime_error&) {
        threw = true;
      }
    });
    ASSERT_EQ(sender.Waits(), "select");
    Copied::fuse = 0;
    c.Cancel();
    ASSERT_TRUE(sender.Finish());
    EXPECT_TRUE(threw);
    Copied::fuse = -1;
  });
}

// ---- threads, and many at once ----

TEST(ChanOpsTest, OnAForeignThread) {
  Cancellable c;
  auto ch = MakeChan<int>();
  std::thread receiver = AttachedThread([&] {
    EXPECT_EQ(ch.Recv(c.ctx).value(), 7);
    EXPECT_FALSE(ch.Recv(c.ctx).ok());
  });
  InGort([&] {
    EXPECT_TRUE(ch.Send(c.ctx, 7).ok());
    c.Cancel();
  });
  receiver.join();
}

const int kRounds = testing::Slow() ? 30 : 300;

// Senders and receivers, each with a context of its own that ends at some moment: every value is
// received once or still with its sender.
void Storm(uint64_t seed, size_t cap) {
  constexpr int kPairs = 4;
  constexpr int kEach = 20;
  rt::FastRand rand(seed);
  auto ch = MakeChan<std::unique_ptr<int>>(cap);
  std::atomic<int> sent{0}, kept{0}, received{0}, running{2 * kPairs};
  auto until = [](uint32_t us) { return WithTimeout(Background(), absl::Microseconds(us)); };
  for (int i = 0; i < kPairs; ++i) {
    Go([&, mine = rt::FastRand(rand.Next64())]() mutable {
      for (int k = 0; k < kEach; ++k) {
        auto [ctx, cancel] = until(mine.N(100));
        auto v = std::make_unique<int>(k);
        const bool ok = ch.Send(ctx, std::move(v)).ok();
        if (ok != (v == nullptr)) abort();
        ++(ok ? sent : kept);
        cancel();
      }
      --running;
    });
    Go([&, mine = rt::FastRand(rand.Next64())]() mutable {
      for (int k = 0; k < kEach; ++k) {
        auto [ctx, cancel] = until(mine.N(100));
        absl::StatusOr<std::optional<std::unique_ptr<int>>> v = ch.Recv(ctx);
        if (v.ok() && **v != nullptr) ++received;
        cancel();
      }
      --running;
    });
  }
  ASSERT_TRUE(Eventually([&] { return running == 0; }));
  ch.Close();
  while (ch.Recv().has_value()) ++received;
  EXPECT_EQ(sent + kept, kPairs * kEach);
  EXPECT_EQ(sent, received) << "seed " << seed;
}

TEST(ChanOpsTest, NothingIsLostWhenContextsEnd) {
  const char* one = getenv("GORT_TEST_SEED");
  for (const int procs : {1, 8}) {
    InGort([&] {
      Procs p(procs);
      if (one != nullptr) return Storm(strtoull(one, nullptr, 10), 1);
      for (int i = 0; i < kRounds; ++i) Storm(static_cast<uint64_t>(i), static_cast<size_t>(i % 3));
    });
  }
}

}  // namespace
}  // namespace gort
