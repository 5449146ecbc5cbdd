// Selector: cases that are switched off and on, refilled and removed, in a loop and by their own
// functions.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

GORT_TEST_LEAVES_GOROUTINES_BEHIND

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;

Chan<int> Full(int n) {
  auto ch = MakeChan<int>(100);
  for (int i = 0; i < 100; ++i) ch.Send(n);
  return ch;
}

TEST(SelectorTest, DisabledCasesAreNotTaken) {
  InGort([] {
    std::optional<int> a, b;
    Selector s;
    s.Recv(Full(1), &a).Recv(Full(2), &b);
    s.Disable(0);
    EXPECT_FALSE(s.Enabled(0));
    for (int i = 0; i < 10; ++i) EXPECT_EQ(s.Run(), 1);
    s.Enable(0).Disable(1);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(s.Run(), 0);
    EXPECT_EQ(a, 1);
    EXPECT_EQ(b, 2);
  });
}

TEST(SelectorTest, WithEverythingDisabledItWaits) {
  InGort([] {
    Selector s;
    s.Recv(Full(1)).Recv(Full(2)).Default();
    EXPECT_EQ(s.last(), 2);
    s.Disable(0).Disable(1);
    EXPECT_EQ(s.Run(), 2);
    s.Disable(2);
    EXPECT_EQ(Probe([&] { s.Run(); }).Waits(), "select");
  });
}

TEST(SelectorTest, ASendIsRefilled) {
  InGort([] {
    auto ch = MakeChan<std::string>(10);
    Selector s;
    s.Send(ch, "one").Default();
    EXPECT_EQ(s.Run(), 0);
    EXPECT_EQ(s.Run(), 1) << "spent";
    s.Refill<std::string>(0, "two");
    EXPECT_EQ(s.Run(), 0);
    const std::string three = "three";
    s.Refill(0, three);
    s.Refill(0, std::string("three, again"));
    EXPECT_EQ(s.Run(), 0);
    EXPECT_EQ(s.Run(), 1);
    EXPECT_EQ(ch.Recv(), "one");
    EXPECT_EQ(ch.Recv(), "two");
    EXPECT_EQ(ch.Recv(), "three, again");
  });
}

TEST(SelectorTest, MoveOnlyValuesAreRefilled) {
  InGort([] {
    auto ch = MakeChan<std::unique_ptr<int>>(10);
    Selector s;
    s.Send(ch, std::make_unique<int>(0));
    for (int i = 1; i <= 3; ++i) {
      EXPECT_EQ(s.Run(), 0);
      s.Refill(0, std::make_unique<int>(i));
    }
    for (int i = 0; i < 3; ++i) EXPECT_EQ(**ch.Recv(), i);
  });
}

TEST(SelectorTest, WrongIndicesAndTypesPanic) {
  InGort([] {
    Selector s;
    s.Recv(Full(1)).Send(MakeChan<int>(1), 1);
    EXPECT_THROW(s.Refill(0, 1), Panic) << "a receive";
    EXPECT_THROW(s.Refill(1, 1L), Panic) << "another type";
    EXPECT_THROW(s.Refill(2, 1), Panic);
    EXPECT_THROW(s.Disable(-1), Panic);
    EXPECT_THROW(s.Enable(2), Panic);
    EXPECT_THROW(s.Remove(7), Panic);
    s.Remove(0);
    EXPECT_THROW(s.Remove(0), Panic);
    EXPECT_THROW(s.Enable(0), Panic);
  });
}

TEST(SelectorTest, IndicesOfTheOthersStay) {
  InGort([] {
    Selector s;
    for (int i = 0; i < 4; ++i) s.Recv(Full(i));
    s.Remove(1).Remove(3);
    std::vector<int> seen(4);
    for (int i = 0; i < 100; ++i) ++seen[static_cast<size_t>(s.Run())];
    EXPECT_GT(seen[0], 0);
    EXPECT_EQ(seen[1], 0);
    EXPECT_GT(seen[2], 0);
    EXPECT_EQ(seen[3], 0);
    s.Recv(Full(9));
    EXPECT_TRUE(s.last() == 1 || s.last() == 3);
    EXPECT_EQ(s.size(), 4u) << "a case takes the place of one removed";
    s.Default();
    EXPECT_EQ(s.size(), 4u);
    const int fallback = s.last();
    s.Disable(0).Disable(2).Disable(fallback == 1 ? 3 : 1);
    EXPECT_EQ(s.Run(), fallback);
    s.Remove(fallback);
    s.Default();
    EXPECT_EQ(s.Run(), s.last());
  });
}

TEST(SelectorTest, RemovedCasesGo) {
  InGort([] {
    auto held = std::make_shared<int>(1);
    Selector s;
    s.Recv(Full(1), [held](int) {}).Send(MakeChan<std::shared_ptr<int>>(), held).Default();
    EXPECT_EQ(held.use_count(), 3);
    s.Remove(0).Remove(1);
    EXPECT_EQ(held.use_count(), 1);
  });
}

// A loop that hands on what it gets, with the usual trick of Go: the send is off while there is
// nothing to send.
TEST(SelectorTest, APipeOfOnePlace) {
  InGort([] {
    auto in = MakeChan<std::unique_ptr<int>>();
    auto out = MakeChan<std::unique_ptr<int>>();
    Go([in] {
      for (int i = 0; i < 1000; ++i) in.Send(std::make_unique<int>(i));
      in.Close();
    });
    Go([in, out] {
      std::optional<std::unique_ptr<int>> got;
      std::unique_ptr<int> next;
      Selector s;
      s.Recv(in, &got).Send(out, &next).Disable(1);
      while (true) {
        if (s.Run() == 1) {
          s.Disable(1).Enable(0);
        } else if (got.has_value()) {
          next = *std::move(got);
          s.Disable(0).Enable(1);
        } else {
          return out.Close();
        }
      }
    });
    int n = 0;
    for (std::unique_ptr<int> v : out) EXPECT_EQ(*v, n++);
    EXPECT_EQ(n, 1000);
  });
}

TEST(SelectorTest, LentValuesComeBack) {
  InGort([] {
    auto closed = MakeChan<std::string>();
    closed.Close();
    std::string text = "mine";
    Selector s;
    s.Send(MakeChan<std::string>(), &text).Send(MakeChan<std::string>(), &text);
    s.Default([&] { EXPECT_EQ(text, "mine"); });
    EXPECT_EQ(s.Run(), 2);
    s.Send(closed, &text);
    EXPECT_THROW(s.Run(), Panic);
    EXPECT_EQ(text, "mine");
    s.Remove(3);
    EXPECT_EQ(s.Run(), 2);
  });
}

// ---- functions that change their selector ----

TEST(SelectorTest, AFunctionMayRemoveItsOwnCase) {
  InGort([] {
    Selector s;
    auto held = std::make_shared<int>(7);
    int after = 0;
    s.Recv(Full(1), [&s, &after, held](int) {
      s.Remove(0);
      s.Recv(Full(2), [](int) {});  // in the place of this one
      after = *held;                // the captures are there still
    });
    EXPECT_EQ(s.Run(), 0);
    EXPECT_EQ(after, 7);
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_EQ(s.Run(), 0);
  });
}

TEST(SelectorTest, TheEndOfARemovedCaseMayRunTheSelector) {
  InGort([] {
    Selector s;
    int ran = 0;
    std::shared_ptr<void> held(&ran, [&](void*) {
      s.Default([&ran] { ++ran; });
      s.Run();
    });
    s.Recv(Full(1), [&s, held = std::move(held)](int) { s.Remove(0); });
    EXPECT_EQ(s.Run(), 0);
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(s.size(), 1u) << "in the place of the removed one";
  });
}

TEST(SelectorTest, AFunctionMayRefillItsOwnCase) {
  InGort([] {
    auto ch = MakeChan<int>(10);
    Selector s;
    int n = 0;
    s.Send(ch, 0, [&] { s.Refill(0, ++n); });
    for (int i = 0; i < 10; ++i) s.Run();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(ch.Recv(), i);
  });
}

TEST(SelectorTest, AFunctionMayAddAndRunAndThrow) {
  InGort([] {
    Selector s;
    int depth = 0, calls = 0;
    s.Recv(Full(1), [&](int) {
      ++calls;
      for (int i = 0; i < 20; ++i) s.Recv(Chan<int>());
      if (++depth < 5) s.Run();
      if (depth == 5) {
        s.Remove(0);
        throw std::string("out");
      }
    });
    EXPECT_THROW(s.Run(), std::string);
    EXPECT_EQ(calls, 5);
    EXPECT_THROW(s.Remove(0), Panic);
    EXPECT_EQ(s.size(), 101u);
  });
}

}  // namespace
}  // namespace gort
