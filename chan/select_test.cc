// Select and Selector: choice, fairness, default, duplicates, both directions, close, exceptions.
#include "gort/chan/select.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gort/tests/support/goroutines.h"

GORT_TEST_LEAVES_GOROUTINES_BEHIND

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

TEST(SelectTest, ReturnsTheIndexOfTheCase) {
  InGort([] {
    Chan<int> a = MakeChan<int>(1);
    Chan<std::string> b = MakeChan<std::string>(1);
    Chan<int> never;
    std::string got;
    EXPECT_EQ(Select(OnRecv(a), Default(), OnRecv(never)), 1);
    EXPECT_EQ(Select(Default(), OnRecv(a)), 0);
    EXPECT_EQ(Select(OnRecv(a), OnSend(b, "x"), OnSend(never, 1)), 1);
    EXPECT_EQ(Select(OnRecv(never), Default(), OnRecv(b, [&](auto v) { got = *v; })), 2);
    EXPECT_EQ(got, "x");
    EXPECT_EQ(Select(Default([&] { got = "d"; })), 0);
    EXPECT_EQ(got, "d");
    EXPECT_EQ(Select(OnSend(a, 3)), 0);
    EXPECT_EQ(Select(OnRecv(a, [&](std::optional<int> v) { got = std::to_string(*v); })), 0);
    EXPECT_EQ(got, "3");
    auto by_name = OnSend(a, 4);
    EXPECT_EQ(Select(OnRecv(a), by_name), 1) << "cases may be lvalues";
  });
}

TEST(SelectTest, NoCasesBlocksForEver) {
  InGort([] {
    EXPECT_EQ(Probe([] { Select(); }).Waits(), "select (no cases)");
    EXPECT_EQ(Probe([] { Selector().Run(); }).Waits(), "select (no cases)");
    Chan<int> never;
    EXPECT_EQ(Probe([=] { Select(OnRecv(never), OnSend(never, 1)); }).Waits(), "select");
    EXPECT_EQ(Probe([=] { Select(OnRecv(never)); }).Waits(), "chan receive (nil chan)");
  });
}

TEST(SelectTest, FairBetweenReadyChannels) {
  InGort([] {
    Chan<int> a = MakeChan<int>(1);
    Chan<int> b = MakeChan<int>(1);
    a.Send(0);
    b.Send(0);
    std::array<int, 2> picks{};
    for (int i = 0; i < 10000; ++i) {
      ++picks[Select(OnRecv(a, [&](auto) { a.Send(0); }), OnRecv(b, [&](auto) { b.Send(0); }))];
    }
    EXPECT_NEAR(picks[0], 5000, 500);
    EXPECT_EQ(picks[0] + picks[1], 10000);
  });
}

TEST(SelectTest, SelectorIsFairBetweenManyCases) {
  InGort([] {
    constexpr int kCases = 10;
    std::vector<int> picks(kCases);
    Selector s;
    for (int i = 0; i < kCases; ++i) {
      Chan<int> c = MakeChan<int>(1);
      c.Send(i);
      s.Recv(c, [&picks, c](std::optional<int> v) {
        ++picks[*v];
        c.Send(*v);
      });
    }
    for (int i = 0; i < 10000; ++i) s.Run();
    for (int n : picks) EXPECT_NEAR(n, 1000, 200);
  });
}

TEST(SelectTest, FairBetweenWaitingSenders) {
  InGort([] {
    Procs one(1);
    Chan<int> a = MakeChan<int>();
    Chan<int> b = MakeChan<int>();
    Chan<Unit> stop = MakeChan<Unit>();
    for (Chan<int> c : {a, b}) {
      Go([=] {
        while (Select(OnSend(c, 1), OnRecv(stop)) == 0) {
        }
      });
    }
    int picks[2] = {};
    for (int i = 0; i < 10000; ++i) {
      Yield();  // both wait again
      ++picks[Select(OnRecv(a), OnRecv(b))];
    }
    stop.Close();
    EXPECT_NEAR(picks[0], 5000, 500);
  });
}

TEST(SelectTest, FairBetweenWaitingCasesOfOneChannel) {
  InGort([] {
    Procs one(1);
    Chan<int> c = MakeChan<int>();
    Chan<int> other = MakeChan<int>();
    std::array<int, 4> picks{};
    for (int i = 0; i < 6000; ++i) {
      Go([=] { c.Send(1); });  // runs when the select waits
      ++picks[Select(OnRecv(c), OnRecv(other), OnRecv(c), OnRecv(c))];
    }
    for (int k : {0, 2, 3}) EXPECT_NEAR(picks[k], 2000, 300) << k;
  });
}

TEST(SelectTest, NeverDefaultWhenReadyThroughout) {
  InGort([] {
    Chan<int> ready = MakeChan<int>(1);
    Chan<int> busy = MakeChan<int>(1);
    ready.Send(1);
    std::atomic<bool> stop{false};
    std::atomic<int> running{2};
    // Others hammer the second channel, and look at the first without taking from it.
    for (int i = 0; i < 2; ++i) {
      Go([&] {
        while (!stop.load()) {
          Select(OnSend(busy, 1), OnSend(ready, 2), Default());
          Select(OnRecv(busy), Default());
          Yield();
        }
        --running;
      });
    }
    int defaults = 0;
    for (int i = 0; i < 20000; ++i) {
      // Readable throughout: only this goroutine receives from it.
      int chosen = Select(OnRecv(ready), OnRecv(busy), Default());
      if (chosen == 2) ++defaults;
      if (chosen == 0) ready.TrySend(1);
      if (i % 100 == 0) Yield();
    }
    EXPECT_EQ(defaults, 0);
    stop.store(true);
    ASSERT_TRUE(::gort::testing::Eventually([&] { return running == 0; }));
  });
}

TEST(SelectTest, DuplicatesOfOneChannel) {
  InGort([] {
    Chan<int> c = MakeChan<int>();
    for (int i = 0; i < 100; ++i) {
      int got = 0;
      Probe p([&] {
        auto take = [&](std::optional<int> v) { got += *v; };
        Select(OnRecv(c, take), OnRecv(c, take), OnRecv(c, take));
      });
      c.Send(1);
      ASSERT_TRUE(p.Finish());
      EXPECT_EQ(got, 1);
      // Nothing of it is left in the queue.
      EXPECT_FALSE(c.TrySend(1));
    }
    std::array<int, 3> picks{};
    Chan<int> full = MakeChan<int>(1);
    full.Send(1);
    auto again = [&](auto) { full.Send(1); };
    for (int i = 0; i < 3000; ++i) {
      ++picks[Select(OnRecv(full, again), OnRecv(full, again), OnRecv(full, again))];
    }
    for (int n : picks) EXPECT_NEAR(n, 1000, 200);
  });
}

TEST(SelectTest, SendAndReceiveOnOneChannel) {
  InGort([] {
    // Not its own peer.
    Chan<int> c = MakeChan<int>();
    Probe lonely([=] { Select(OnSend(c, 1), OnRecv(c)); });
    EXPECT_EQ(lonely.Waits(), "select");
    EXPECT_EQ(c.Recv(), 1);
    EXPECT_TRUE(lonely.Finish());
    Probe other([=] { Select(OnSend(c, 1), OnRecv(c)); });
    c.Send(2);
    EXPECT_TRUE(other.Finish());
    // Two of them find each other.
    for (int i = 0; i < 200; ++i) {
      std::atomic<int> sum{0};
      auto both = [&, c] {
        Select(OnSend(c, 1, [&] { sum += 10; }), OnRecv(c, [&](auto v) { sum += *v; }));
      };
      Probe x(both);
      Probe y(both);
      ASSERT_TRUE(x.Finish());
      ASSERT_TRUE(y.Finish());
      EXPECT_EQ(sum, 11);
    }
    // With a buffer it is always ready.
    Chan<int> buffered = MakeChan<int>(1);
    int sends = 0, recvs = 0;
    for (int i = 0; i < 1000; ++i) {
      Select(OnSend(buffered, i, [&] { ++sends; }), OnRecv(buffered, [&](auto) { ++recvs; }));
    }
    EXPECT_EQ(sends, 500);
    EXPECT_EQ(recvs, 500);
  });
}

TEST(SelectTest, CloseWakesASelect) {
  InGort([] {
    Chan<int> a = MakeChan<int>();
    Chan<int> b = MakeChan<int>();
    std::string got;
    Probe p([&] {
      Select(OnRecv(a, [&](std::optional<int> v) { got = v ? "value" : "end"; }), OnRecv(b));
    });
    a.Close();
    ASSERT_TRUE(p.Finish());
    EXPECT_EQ(got, "end");
    EXPECT_FALSE(b.TrySend(1)) << "it is off the other queue";
    Chan<int> c = MakeChan<int>();
    Probe q([&] {
      try {
        Select(OnSend(c, 1), OnRecv(b));
      } catch (const Panic& e) {
        got = e.what();
      }
    });
    c.Close();
    ASSERT_TRUE(q.Finish());
    EXPECT_EQ(got, "send on closed channel");
    EXPECT_FALSE(b.TrySend(1));
  });
}

TEST(SelectTest, LosingCasesKeepTheirValues) {
  InGort([] {
    auto a = MakeChan<std::unique_ptr<int>>();
    auto b = MakeChan<int>();
    auto sc = OnSend(a, std::make_unique<int>(7));
    Probe p([&] { Select(sc, OnRecv(b)); });
    b.Send(1);
    ASSERT_TRUE(p.Finish());
    Probe q([&] { Select(sc, OnRecv(b)); });
    EXPECT_EQ(**a.Recv(), 7);
    ASSERT_TRUE(q.Finish());
    EXPECT_EQ(Select(sc, Default()), 1) << "a send happens once";
  });
}

TEST(SelectTest, ExceptionsOfHandlersComeOut) {
  InGort([] {
    Chan<int> a = MakeChan<int>(1);
    a.Send(1);
    EXPECT_THROW(Select(OnRecv(a, [](auto) { throw std::logic_error("x"); })), std::logic_error);
    EXPECT_EQ(a.Len(), 0u);
    Selector s;
    s.Default([] { throw std::logic_error("y"); });
    EXPECT_THROW(s.Run(), std::logic_error);
  });
}

TEST(SelectTest, HandlersMayBeMoveOnlyAndMayWait) {
  InGort([] {
    Chan<int> a = MakeChan<int>(1);
    Chan<int> b = MakeChan<int>();
    a.Send(1);
    auto p = std::make_unique<int>(41);
    Probe adder([&, p = std::move(p)]() mutable {
      Select(OnRecv(a, [b, q = std::move(p)](std::optional<int> v) { b.Send(*q + *v); }));
    });
    EXPECT_EQ(b.Recv(), 42);
    EXPECT_TRUE(adder.Finish());
  });
}

TEST(SelectorTest, RunsAgainAndSpendsSends) {
  InGort([] {
    Chan<int> in = MakeChan<int>(4);
    Chan<int> out = MakeChan<int>(4);
    int sum = 0, defaults = 0;
    Selector s;
    s.Recv(in, [&](std::optional<int> v) { sum += *v; })
        .Default([&] { ++defaults; })
        .Send(SendChan<int>(out), 9);
    EXPECT_EQ(s.size(), 3u);
    EXPECT_EQ(s.Run(), 2);
    EXPECT_EQ(s.Run(), 1);
    EXPECT_EQ(out.Len(), 1u);
    in.Send(3);
    in.Send(4);
    EXPECT_EQ(s.Run(), 0);
    EXPECT_EQ(s.Run(), 0);
    EXPECT_EQ(s.Run(), 1);
    EXPECT_EQ(sum, 7);
    EXPECT_EQ(defaults, 2);
    EXPECT_THROW(s.Default([] {}), Panic);
    Selector moved = std::move(s);
    EXPECT_EQ(moved.Run(), 1);
  });
}

TEST(SelectorTest, MovedFromHasNoDefault) {
  InGort([] {
    Chan<int> ch = MakeChan<int>(1);
    int sum = 0;
    Selector s, other;
    s.Default([] {});
    Selector moved = std::move(s);
    EXPECT_EQ(s.size(), 0u);  // NOLINT: it is as new
    ch.Send(3);
    s.Recv(ch, [&](std::optional<int> v) { sum += *v; });
    EXPECT_EQ(s.Run(), 0);
    EXPECT_EQ(sum, 3);
    EXPECT_EQ(moved.Run(), 0);
    other = std::move(moved);
    EXPECT_EQ(Probe([&] { moved.Run(); }).Waits(), "select (no cases)");  // NOLINT
    EXPECT_EQ(other.Run(), 0);
    EXPECT_THROW(other.Default([] {}), Panic);
  });
}

TEST(SelectorTest, ManyCases) {
  InGort([] {
    constexpr int kCases = 500;
    std::vector<Chan<int>> chans;
    for (int i = 0; i < kCases; ++i) chans.push_back(MakeChan<int>());
    int64_t sum = 0;
    Selector s;
    for (const Chan<int>& c : chans) s.Recv(c, [&](std::optional<int> v) { sum += *v; });
    Go([chans] {
      for (int i = 0; i < kCases; ++i) chans[(i * 7919) % kCases].Send(i);
    });
    for (int i = 0; i < kCases; ++i) EXPECT_EQ(s.Run(), (i * 7919) % kCases);
    EXPECT_EQ(sum, kCases * (kCases - 1) / 2);
  });
}

// Its constructor takes everything, and would take a non-const lvalue of its own type, too.
struct Greedy {
  int v = 0;
  Greedy() = default;
  template <class T>
  explicit Greedy(T&&) : v(99) {}  // NOLINT
  Greedy(const Greedy&) = default;
  Greedy(Greedy&&) = default;
  Greedy& operator=(Greedy&&) = default;
};

TEST(SelectTest, SendsACopyOfAnLvalue) {
  InGort([] {
    auto ch = MakeChan<Greedy>(1);
    Greedy g;
    Select(OnSend(ch, g));
    EXPECT_EQ(ch.Recv()->v, 0);
    Selector s;
    s.Send(ch, g).Run();
    EXPECT_EQ(ch.Recv()->v, 0);
  });
}

}  // namespace
}  // namespace gort
