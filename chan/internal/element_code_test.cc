// The code of element types: constructors, assignments and destructors may wait, use the channel,
// and throw; what a program says of its own types is believed.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory_resource>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/chan/internal/element.h"
#include "gort/chan/select.h"
#include "gort/proc/proc.h"
#include "gort/proc/sched_seed.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;

// Lets others run whenever it is moved, and promises not to throw, or not.
template <bool nothrow>
struct Yielding {
  int v = 0;
  explicit Yielding(int n = 0) : v(n) {}
  Yielding(Yielding&& o) noexcept(nothrow) : v(o.v) { rt::Gosched(); }
  Yielding& operator=(Yielding&& o) noexcept(nothrow) {
    v = o.v;
    rt::Gosched();
    return *this;
  }
};

// Every way of sending meets every way of receiving, with all goroutines on one P: one that gave
// way with a lock of the runtime held would never be left by the next that wants it.
template <class T>
void EveryWayWithMovesThatGiveWay(size_t cap) {
  Procs one(1);
  constexpr int kEach = 30;
  auto ch = MakeChan<T>(cap);
  Chan<int> never;
  std::atomic<int> senders{0};
  std::atomic<int> receivers{0};
  auto start = [](std::atomic<int>* running, auto f) {
    ++*running;
    Go([running, f] {
      f();
      --*running;
    });
  };
  start(&senders, [ch] {
    for (int i = 0; i < kEach; ++i) ch.Send(T(1));
  });
  start(&senders, [ch] {
    for (int i = 0; i < kEach; ++i) {
      while (!ch.TrySend(T(1))) rt::Gosched();
    }
  });
  start(&senders, [ch, never] {
    for (int i = 0; i < kEach; ++i) Select(OnSend(ch, T(1)), OnRecv(never));
  });
  std::atomic<int> sum{0};
  start(&receivers, [&, ch] {
    for (T v : ch) sum += v.v;
  });
  start(&receivers, [&, ch] {
    T out;
    while (ch.TryRecv(&out) != RecvState::kClosed) {
      sum += std::exchange(out.v, 0);
      rt::Gosched();
    }
  });
  start(&receivers, [&, ch, never] {
    bool more = true;
    while (more) {
      Select(OnRecv(never), OnRecv(ch, [&](std::optional<T> v) {
               more = v.has_value();
               if (more) sum += v->v;
             }));
    }
  });
  ASSERT_TRUE(Eventually([&] { return senders == 0; }));
  ch.Close();
  ASSERT_TRUE(Eventually([&] { return receivers == 0; }));
  EXPECT_EQ(sum, 3 * kEach);
}

TEST(ElementCodeTest, MovesMayGiveWay) {
  InGort([] {
    for (size_t cap : {0, 1, 3}) {
      EveryWayWithMovesThatGiveWay<Yielding<true>>(cap);
      EveryWayWithMovesThatGiveWay<Yielding<false>>(cap);
    }
  });
}

TEST(ElementCodeTest, MovesMayGiveWayUnderEverySchedule) {
  InGort([] {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      rt::SetSchedSeed(seed);
      EveryWayWithMovesThatGiveWay<Yielding<true>>(seed % 4);
      EveryWayWithMovesThatGiveWay<Yielding<false>>(seed % 4);
    }
    rt::SetSchedSeed(0);
  });
}

// Looks at the channel that it travels on, whenever it is moved.
struct Curious {
  Chan<Curious> ch;
  std::function<void()> look;
  Curious(Chan<Curious> c, std::function<void()> f) : ch(std::move(c)), look(std::move(f)) {}
  Curious(Curious&& o) noexcept : ch(o.ch), look(o.look) { look(); }
};

TEST(ElementCodeTest, MovesMayUseTheChannel) {
  InGort([] {
    auto ch = MakeChan<Curious>(2);
    int looks = 0;
    auto look = [&, ch] {
      ++looks;
      EXPECT_EQ(ch.TryRecv(nullptr), RecvState::kEmpty);
    };
    ch.Send(Curious(ch, look));
    EXPECT_TRUE(ch.Recv().has_value());
    EXPECT_TRUE(ch.TrySend(Curious(ch, look)));
    EXPECT_TRUE(ch.Recv().has_value());
    EXPECT_GT(looks, 2);
  });
}

// ---- the place that a TrySend reserves while its element is made ----

// Calls *during while it is moved into its box, and throws if that says so.
struct Slow {
  static inline std::function<bool()> during;
  int v;
  explicit Slow(int n) : v(n) {}
  Slow(Slow&& o) : v(o.v) {
    if (auto f = std::exchange(during, nullptr); f && f()) throw std::runtime_error("move");
    o.v = -1;
  }
};

TEST(ElementCodeTest, ReservedPlaceIsTaken) {
  InGort([] {
    for (bool fails : {false, true}) {
      auto ch = MakeChan<Slow>(2);
      EXPECT_TRUE(ch.TrySend(Slow(1)));
      Slow v(2);
      Slow::during = [&, ch] {
        EXPECT_FALSE(ch.TrySend(Slow(3)));
        EXPECT_EQ(Select(OnSend(ch, Slow(3)), Default()), 1);
        EXPECT_EQ(ch.Len(), 1u);
        return fails;
      };
      if (fails) {
        EXPECT_THROW(ch.TrySend(std::move(v)), std::runtime_error);
        EXPECT_EQ(v.v, 2);  // NOLINT
      }
      EXPECT_TRUE(ch.TrySend(std::move(v)));
      EXPECT_EQ(ch.Recv()->v, 1);
      EXPECT_EQ(ch.Recv()->v, 2);
    }
  });
}

TEST(ElementCodeTest, SenderWaitsForReservedPlace) {
  InGort([] {
    for (bool fails : {false, true}) {
      auto ch = MakeChan<Slow>(1);
      std::vector<Probe> waits;
      Slow::during = [&] {
        waits.emplace_back([ch] { ch.Send(Slow(2)); });
        EXPECT_EQ(waits[0].Waits(), "chan send");
        return fails;
      };
      if (fails) {
        EXPECT_THROW(ch.TrySend(Slow(1)), std::runtime_error);
        EXPECT_TRUE(waits[0].Finish()) << "the place is free again";
      } else {
        EXPECT_TRUE(ch.TrySend(Slow(1)));
        EXPECT_EQ(ch.Recv()->v, 1);
      }
      EXPECT_EQ(ch.Recv()->v, 2);
      EXPECT_TRUE(waits[0].Finish());
      EXPECT_EQ(ch.TryRecv(nullptr), RecvState::kEmpty);
    }
  });
}

TEST(ElementCodeTest, ReceiverTakesFromTheSenderThatWaitsForReservedPlace) {
  InGort([] {
    for (size_t cap : {1, 2}) {
      auto ch = MakeChan<Slow>(cap);
      for (size_t i = 1; i < cap; ++i) ch.Send(Slow(10));
      std::vector<Probe> waits;
      Slow::during = [&] {
        waits.emplace_back([ch] { ch.Send(Slow(2)); });
        EXPECT_EQ(waits[0].Waits(), "chan send");
        for (size_t i = 1; i < cap; ++i) EXPECT_EQ(ch.Recv()->v, 10);
        EXPECT_EQ(ch.Recv()->v, 2);
        EXPECT_TRUE(waits[0].Finish());
        waits.emplace_back([ch] { EXPECT_EQ(ch.Recv()->v, 1); });
        EXPECT_EQ(waits[1].Waits(), "chan receive");
        return false;
      };
      EXPECT_TRUE(ch.TrySend(Slow(1)));
      EXPECT_TRUE(waits[1].Finish());
      for (size_t i = 0; i < cap; ++i) EXPECT_TRUE(ch.TrySend(Slow(3)));
      EXPECT_FALSE(ch.TrySend(Slow(3)));
    }
  });
}

TEST(ElementCodeTest, CloseWhileAPlaceIsReserved) {
  InGort([] {
    auto ch = MakeChan<Slow>(1);
    Slow::during = [ch] {
      ch.Close();
      EXPECT_FALSE(ch.Recv().has_value());
      return false;
    };
    EXPECT_THROW(ch.TrySend(Slow(1)), Panic);
    EXPECT_FALSE(ch.Recv().has_value()) << "a closed channel gets no more elements";
    // A receiver that was there before gets the element: the send was first.
    auto sync = MakeChan<Slow>();
    int got = 0;
    Probe receiver([&, sync] { got = sync.Recv()->v; });
    ASSERT_EQ(receiver.Waits(), "chan receive");
    Slow::during = [sync] {
      sync.Close();
      return false;
    };
    EXPECT_TRUE(sync.TrySend(Slow(7)));
    EXPECT_TRUE(receiver.Finish());
    EXPECT_EQ(got, 7);
  });
}

// ---- what a receive leaves of its destination ----

TEST(ElementCodeTest, TryRecvAssigns) {
  InGort([] {
    std::pmr::monotonic_buffer_resource theirs;
    std::pmr::monotonic_buffer_resource mine;
    auto ch = MakeChan<std::pmr::vector<int>>(1);
    ch.Send(std::pmr::vector<int>({1, 2, 3}, &theirs));
    std::pmr::vector<int> out(&mine);
    EXPECT_EQ(ch.TryRecv(&out), RecvState::kValue);
    EXPECT_EQ(out.get_allocator().resource(), &mine);
    EXPECT_EQ(out, (std::pmr::vector<int>{1, 2, 3}));
    auto strings = MakeChan<std::pmr::string>();
    Probe p([&, strings] { strings.Send(std::pmr::string(100, 'x', &theirs)); });
    std::pmr::string s(&mine);
    EXPECT_EQ(strings.TryRecv(&s), RecvState::kValue);
    EXPECT_EQ(s.get_allocator().resource(), &mine);
    EXPECT_TRUE(p.Finish());
  });
}

// Its move is a copy, which may throw, and it cannot be assigned.
struct Named {
  const std::string name;
  static inline std::atomic<int> fuse{-1};
  explicit Named(std::string n) : name(std::move(n)) {}
  Named(const Named& o) : name(o.name) {
    if (fuse >= 0 && fuse-- == 0) throw std::runtime_error("copy");
  }
};

TEST(ElementCodeTest, TryRecvOfWhatCannotBeAssigned) {
  InGort([] {
    auto ch = MakeChan<Named>(2);
    ch.Send(Named("a"));
    ch.Send(Named("b"));
    Named out("");
    EXPECT_EQ(ch.TryRecv(&out), RecvState::kValue);
    EXPECT_EQ(std::launder(&out)->name, "a");
    EXPECT_EQ(ch.TryRecv(nullptr), RecvState::kValue);
    EXPECT_EQ(ch.TryRecv(&out), RecvState::kEmpty);
  });
}

TEST(ElementCodeTest, RangeForGivesBackWhatItCouldNotMove) {
  InGort([] {
    auto ch = MakeChan<Named>(3);
    for (const char* name : {"a", "b", "c"}) ch.Send(Named(name));
    std::string got;
    auto receive = [&] {
      for (Named v : ch) {
        got += v.name;
        if (got == "a") Named::fuse = 0;
      }
    };
    EXPECT_THROW(receive(), std::runtime_error);
    EXPECT_EQ(ch.Len(), 2u);
    ch.Close();
    receive();
    EXPECT_EQ(got, "abc");
  });
}

TEST(ElementCodeTest, RangeForDropsWhatItsBodyThrewOver) {
  InGort([] {
    auto ch = MakeChan<Named>(2);
    ch.Send(Named("a"));
    ch.Send(Named("b"));
    auto receive = [&] {
      for (Named v : ch) throw std::logic_error(v.name);
    };
    EXPECT_THROW(receive(), std::logic_error);
    EXPECT_EQ(ch.Recv()->name, "b");
  });
}

// ---- carried as bytes ----

struct Request {
  std::unique_ptr<int> body;
  std::vector<int> more;
};

}  // namespace
}  // namespace gort

template <>
inline constexpr bool gort::kRelocatable<gort::Request> = true;

namespace gort {
namespace {

TEST(ElementCodeTest, WhatTheProgramSaysIsRelocatableIs) {
  static_assert(!rt::kElemBoxed<Request>);
  InGort([] {
    for (size_t cap : {0, 1, 2}) {
      auto ch = MakeChan<Request>(cap);
      Probe p([ch] {
        for (int i = 0; i < 10; ++i) ch.Send(Request{std::make_unique<int>(i), {i}});
        ch.Close();
        EXPECT_THROW(ch.TrySend(Request{}), Panic);
      });
      int next = 0;
      for (Request r : ch) {
        EXPECT_EQ(*r.body, next);
        EXPECT_EQ(r.more, std::vector<int>{next++});
      }
      EXPECT_EQ(next, 10);
      EXPECT_TRUE(p.Finish());
    }
    auto ch = MakeChan<Request>(1);
    ch.Send(Request{std::make_unique<int>(1), {1}});
    Request r{std::make_unique<int>(2), {2}};
    EXPECT_FALSE(ch.TrySend(std::move(r)));
    EXPECT_EQ(*r.body, 2);  // NOLINT: not sent
    EXPECT_EQ(Select(OnSend(ch, std::move(r)), Default()), 1);
  });
}

}  // namespace
}  // namespace gort
