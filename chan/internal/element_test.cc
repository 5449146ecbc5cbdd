// Types of elements: move-only, over-aligned, empty, without a default constructor, not assignable,
// and throwing ones. Nothing is leaked, destroyed twice, or lost when a move or copy throws.
#include "gort/chan/internal/element.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/proc/sched_seed.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;

// Counts the objects alive; moved-from ones are alive too.
struct Counted {
  static inline std::atomic<int> alive{0};
  int v;
  explicit Counted(int n) : v(n) { ++alive; }
  Counted(const Counted& o) noexcept : v(o.v) { ++alive; }
  Counted(Counted&& o) noexcept : v(std::exchange(o.v, -1)) { ++alive; }
  Counted& operator=(Counted&&) = default;
  ~Counted() { --alive; }
};

struct alignas(256) Aligned {
  explicit Aligned(int n) : v(n) { Check(); }
  Aligned(const Aligned& o) noexcept : v(o.v) { Check(); }
  void Check() const {
    if (reinterpret_cast<uintptr_t>(this) % 256 != 0) ++misplaced;
  }
  static inline std::atomic<int> misplaced{0};
  int v;
};

struct alignas(128) AlignedBytes {
  int v;
};

struct Fixed {  // neither default-constructible nor assignable
  explicit Fixed(int n) : v(n) {}
  const int v;
};

// Throws from its copy and move constructors and assignments while armed.
struct Throwing {
  static inline std::atomic<int> alive{0};
  static inline std::atomic<int> fuse{-1};  // operations until one throws; -1: none does
  int v;
  explicit Throwing(int n) : v(n) { ++alive; }
  Throwing(const Throwing& o) : v(o.v) {
    Burn();
    ++alive;
  }
  Throwing(Throwing&& o) : v(o.v) {  // NOLINT: may throw
    Burn();
    o.v = -1;
    ++alive;
  }
  Throwing& operator=(Throwing&& o) {  // NOLINT: may throw
    Burn();
    v = std::exchange(o.v, -1);
    return *this;
  }
  ~Throwing() { --alive; }
  static void Burn() {
    if (fuse >= 0 && fuse-- == 0) throw std::runtime_error("move");
  }
};

struct MoveOnlyThrowing {
  std::unique_ptr<int> p;
  static inline std::atomic<bool> armed{false};
  explicit MoveOnlyThrowing(int n) : p(std::make_unique<int>(n)) {}
  MoveOnlyThrowing(MoveOnlyThrowing&& o) noexcept(false) {
    if (armed) throw std::runtime_error("move");
    p = std::move(o.p);
  }
};

TEST(ElementTest, HowTypesAreCarried) {
  static_assert(rt::kElemType<Unit>.size == 0);
  static_assert(rt::kElemType<int>.size == sizeof(int) && rt::kElemBytes<int>);
  static_assert(rt::kElemType<AlignedBytes>.align == 128);
  static_assert(!rt::kElemBytes<std::unique_ptr<int>> && !rt::kElemBoxed<std::unique_ptr<int>>);
  static_assert(!rt::kElemBoxed<std::vector<int>> && !rt::kElemBoxed<Chan<int>>);
  static_assert(rt::kElemBoxed<Throwing> && rt::kElemBoxed<Aligned> && rt::kElemBoxed<std::string>);
  static_assert(rt::kElemBytes<std::array<char, rt::kMaxCarried>>);
  static_assert(rt::kElemBoxed<std::array<char, rt::kMaxCarried + 1>>);
}

TEST(ElementTest, MoveOnly) {
  InGort([] {
    for (size_t cap : {0, 1, 3}) {
      auto ch = MakeChan<std::unique_ptr<int>>(cap);
      Go([ch] {
        for (int i = 0; i < 10; ++i) ch.Send(std::make_unique<int>(i));
        ch.Close();
      });
      int next = 0;
      for (std::unique_ptr<int> p : ch) EXPECT_EQ(*p, next++);
      EXPECT_EQ(next, 10);
    }
    auto ch = MakeChan<std::unique_ptr<int>>(1);
    auto p = std::make_unique<int>(1);
    auto q = std::make_unique<int>(2);
    EXPECT_TRUE(ch.TrySend(std::move(p)));
    EXPECT_EQ(p, nullptr);
    EXPECT_FALSE(ch.TrySend(std::move(q)));
    ASSERT_NE(q, nullptr) << "untouched when it would block";
    EXPECT_EQ(*q, 2);
  });
}

TEST(ElementTest, OverAligned) {
  InGort([] {
    for (size_t cap : {0, 1, 3}) {
      auto ch = MakeChan<Aligned>(cap);
      Probe p([ch] {
        for (int i = 0; i < 10; ++i) ch.Send(Aligned(i));
      });
      for (int i = 0; i < 10; ++i) EXPECT_EQ(ch.Recv()->v, i);
      EXPECT_TRUE(p.Finish());
      auto bytes = MakeChan<AlignedBytes>(cap);
      Probe q([bytes] { Select(OnSend(bytes, AlignedBytes{3}), OnRecv(Chan<int>())); });
      Aligned room(0);
      EXPECT_EQ(bytes.Recv()->v, 3);
    }
    EXPECT_EQ(Aligned::misplaced, 0);
  });
}

TEST(ElementTest, Empty) {
  InGort([] {
    auto ch = MakeChan<Unit>(1000000000000);  // takes no memory
    for (int i = 0; i < 1000; ++i) ch.Send({});
    EXPECT_EQ(ch.Len(), 1000u);
    int n = 0;
    ch.Close();
    for (Unit u : ch) n += u == Unit{};
    EXPECT_EQ(n, 1000);
    auto sync = MakeChan<Unit>();
    Probe p([sync] { sync.Send({}); });
    EXPECT_EQ(p.Waits(), "chan send");
    EXPECT_EQ(sync.Recv(), Unit{});
    EXPECT_TRUE(p.Finish());
  });
}

TEST(ElementTest, NotDefaultConstructibleNorAssignable) {
  InGort([] {
    auto ch = MakeChan<Fixed>(2);
    ch.Send(Fixed(1));
    EXPECT_TRUE(ch.TrySend(Fixed(2)));
    EXPECT_EQ(ch.Recv()->v, 1);
    Fixed out(0);
    EXPECT_EQ(ch.TryRecv(&out), RecvState::kValue);
    EXPECT_EQ(std::launder(&out)->v, 2);
  });
}

TEST(ElementTest, SelfReferential) {
  InGort([] {
    struct Request {
      int v;
      Chan<Request> reply;
    };
    auto ch = MakeChan<Request>();
    Go([ch] {
      Request r = *ch.Recv();
      r.reply.Send({r.v * 2, nullptr});
    });
    auto reply = MakeChan<Request>(1);
    ch.Send({21, reply});
    EXPECT_EQ(reply.Recv()->v, 42);
  });
}

TEST(ElementTest, NothingLeaksOrDiesTwice) {
  ASSERT_EQ(Counted::alive, 0);
  InGort([] {
    for (size_t cap : {0, 1, 4}) {
      auto ch = MakeChan<Counted>(cap);
      Probe p([ch] {
        for (int i = 0; i < 20; ++i) ch.Send(Counted(i));
        ch.Close();
      });
      int next = 0;
      Counted c(0);
      ASSERT_EQ(ch.TryRecv(&c), RecvState::kValue);
      EXPECT_EQ(c.v, next++);
      Select(OnRecv(ch, [&](std::optional<Counted> v) { EXPECT_EQ(v->v, next++); }));
      for (Counted v : ch) EXPECT_EQ(v.v, next++);
      EXPECT_EQ(next, 20);
      EXPECT_TRUE(p.Finish());
    }
    // Elements that nobody received go with the channel.
    auto ch = MakeChan<Counted>(8);
    for (int i = 0; i < 5; ++i) ch.Send(Counted(i));
    ch.Recv();
    for (int i = 0; i < 4; ++i) ch.Send(Counted(i));
    EXPECT_EQ(Counted::alive, 8);
    // As does the value of a send that never was.
    int chosen = Select(OnSend(ch, Counted(9)), Default());
    EXPECT_EQ(chosen, 1);
    EXPECT_EQ(Counted::alive, 8);
    ch.Close();
    EXPECT_THROW(ch.Send(Counted(1)), Panic);
    EXPECT_EQ(Counted::alive, 8);
  });
  EXPECT_EQ(Counted::alive, 0);
}

// ---- types that throw ----

TEST(ElementTest, ThrowingSendLeavesChannelAndValue) {
  InGort([] {
    for (size_t cap : {0, 1, 2}) {
      auto ch = MakeChan<Throwing>(cap);
      Throwing v(7);
      Throwing::fuse = 0;
      EXPECT_THROW(ch.Send(v), std::runtime_error);
      Throwing::fuse = 0;
      EXPECT_THROW(ch.Send(std::move(v)), std::runtime_error);
      EXPECT_EQ(v.v, 7);  // NOLINT: the move did not happen
      if (cap > 0) {
        Throwing::fuse = 0;
        EXPECT_THROW(ch.TrySend(v), std::runtime_error);
        Throwing::fuse = 0;
        EXPECT_THROW(ch.TrySend(std::move(v)), std::runtime_error);
        EXPECT_EQ(v.v, 7);  // NOLINT
      }
      Throwing::fuse = -1;
      EXPECT_EQ(ch.Len(), 0u);
      Probe p([ch] { ch.Send(Throwing(8)); });
      EXPECT_EQ(ch.Recv()->v, 8);
      EXPECT_TRUE(p.Finish());
    }
  });
  EXPECT_EQ(Throwing::alive, 0);
}

TEST(ElementTest, ThrowingTrySendToWaitingReceiver) {
  InGort([] {
    auto ch = MakeChan<Throwing>();
    auto other = MakeChan<int>();
    for (bool select : {false, true}) {
      int got = 0;
      Probe receiver([&, select] {
        if (select) {
          Select(OnRecv(other), OnRecv(ch, [&](std::optional<Throwing> v) { got = v->v; }));
        } else {
          got = ch.Recv()->v;
        }
      });
      ASSERT_EQ(receiver.Waits(), select ? "select" : "chan receive");
      Throwing v(7);
      Throwing::fuse = 0;
      EXPECT_THROW(ch.TrySend(std::move(v)), std::runtime_error);
      Throwing::fuse = -1;
      EXPECT_EQ(v.v, 7);  // NOLINT
      // The receiver was woken for nothing and waits again.
      EXPECT_TRUE(::gort::testing::Eventually([&] { return ch.TrySend(std::move(v)); }));
      EXPECT_TRUE(receiver.Finish());
      EXPECT_EQ(got, 7);
    }
  });
  EXPECT_EQ(Throwing::alive, 0);
}

// Woken for nothing, a select finds the channel closed, but not drained.
TEST(ElementTest, ThrowingTrySendBeforeTheLastElement) {
  InGort([] {
    Procs one(1);
    auto ch = MakeChan<Throwing>(1);
    auto other = MakeChan<int>();
    int got = 0;
    Probe receiver([&] {
      Select(OnRecv(other), OnRecv(ch, [&](std::optional<Throwing> v) { got = v ? v->v : -1; }));
    });
    ASSERT_EQ(receiver.Waits(), "select");
    Throwing v(7);
    Throwing::fuse = 0;
    EXPECT_THROW(ch.TrySend(std::move(v)), std::runtime_error);
    Throwing::fuse = -1;
    EXPECT_TRUE(ch.TrySend(Throwing(8)));
    ch.Close();
    EXPECT_TRUE(receiver.Finish());
    EXPECT_EQ(got, 8);
  });
  EXPECT_EQ(Throwing::alive, 0);
}

TEST(ElementTest, ThrowingRecvGivesTheElementBack) {
  InGort([] {
    for (size_t cap : {1, 3}) {
      auto ch = MakeChan<Throwing>(cap);
      for (size_t i = 0; i < cap; ++i) ch.Send(Throwing(static_cast<int>(i)));
      Throwing out(99);
      for (int way = 0; way < 3; ++way) {
        Throwing::fuse = 0;
        auto receive = [&] {
          if (way == 0) ch.Recv();
          if (way == 1) ch.TryRecv(&out);
          if (way == 2) Select(OnRecv(ch, [](std::optional<Throwing>) {}));
        };
        EXPECT_THROW(receive(), std::runtime_error);
        Throwing::fuse = -1;
        EXPECT_EQ(out.v, 99);
        EXPECT_EQ(ch.Len(), cap);
      }
      for (size_t i = 0; i < cap; ++i) EXPECT_EQ(ch.Recv()->v, static_cast<int>(i));
      EXPECT_EQ(ch.Len(), 0u);
    }
  });
  EXPECT_EQ(Throwing::alive, 0);
}

TEST(ElementTest, ThrowingRecvWithSendersBehindKeepsOrder) {
  InGort([] {
    for (size_t cap : {0, 2}) {
      auto ch = MakeChan<Throwing>(cap);
      std::vector<Probe> senders;
      for (int i = 0; i < 6; ++i) senders.emplace_back([ch, i] { ch.Send(Throwing(i)); });
      for (int i = 0; i < 6; ++i) {
        Throwing::fuse = 0;
        EXPECT_THROW(ch.Recv(), std::runtime_error);
        Throwing::fuse = -1;
        EXPECT_EQ(ch.Recv()->v, i);
      }
      for (Probe& p : senders) EXPECT_TRUE(p.Finish());
      EXPECT_EQ(ch.TryRecv(nullptr), RecvState::kEmpty);
    }
    // Given back to an unbuffered channel that is then closed: still there.
    auto ch = MakeChan<Throwing>();
    Probe p([ch] { ch.Send(Throwing(5)); });
    Throwing::fuse = 0;
    EXPECT_THROW(ch.Recv(), std::runtime_error);
    Throwing::fuse = -1;
    EXPECT_TRUE(p.Finish());
    ch.Close();
    EXPECT_EQ(ch.Recv()->v, 5);
    EXPECT_FALSE(ch.Recv().has_value());
  });
  EXPECT_EQ(Throwing::alive, 0);
}

TEST(ElementTest, GivenBackElementGoesToAWaitingReceiver) {
  InGort([] {
    auto ch = MakeChan<MoveOnlyThrowing>();
    std::string first;
    int second = 0;
    Probe a([&] {
      try {
        ch.Recv();
      } catch (const std::runtime_error& e) {
        MoveOnlyThrowing::armed = false;
        first = e.what();
      }
    });
    MoveOnlyThrowing v(3);
    ch.Send(std::move(v));
    MoveOnlyThrowing::armed = true;
    // With one P, a has not run yet; it fails to take the element out, and the next gets it.
    ASSERT_TRUE(a.Finish());
    if (first == "move") {
      second = *ch.Recv()->p;
      EXPECT_EQ(second, 3);
    }
    MoveOnlyThrowing::armed = false;
  });
}

TEST(ElementTest, UnreceivedBoxesGoWithTheChannel) {
  InGort([] {
    auto ch = MakeChan<Throwing>(4);
    for (int i = 0; i < 3; ++i) ch.Send(Throwing(i));
    auto unbuffered = MakeChan<Throwing>();
    Probe p([unbuffered] { unbuffered.Send(Throwing(1)); });
    Throwing::fuse = 0;
    EXPECT_THROW(unbuffered.Recv(), std::runtime_error);
    Throwing::fuse = -1;
    EXPECT_TRUE(p.Finish());
    EXPECT_EQ(Throwing::alive, 4);
  });
  EXPECT_EQ(Throwing::alive, 0);
}

TEST(ElementTest, DequeThatMayThrowWorks) {
  static_assert(rt::kElemBoxed<std::deque<int>> ==
                !std::is_nothrow_move_constructible_v<std::deque<int>>);
  InGort([] {
    auto ch = MakeChan<std::deque<int>>(1);
    std::deque<int> d = {1, 2, 3};
    EXPECT_TRUE(ch.TrySend(d));
    EXPECT_FALSE(ch.TrySend(std::move(d)));
    EXPECT_EQ(d.size(), 3u);  // NOLINT
    for (int i = 0; i < 2; ++i) Select(OnRecv(ch), Default());
    ch.Send({4, 5});
    EXPECT_EQ(ch.Recv()->back(), 5);
  });
}

}  // namespace
}  // namespace gort
