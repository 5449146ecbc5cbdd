// What the function of an OnRecv may take, and OnRecv into a variable.
#include <gtest/gtest.h>

#include <any>
#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;

using Owner = std::unique_ptr<int>;

// A channel with one element in it.
Chan<Owner> With(int n) {
  auto ch = MakeChan<Owner>(1);
  ch.Send(std::make_unique<int>(n));
  return ch;
}
Chan<Owner> Ended() {
  auto ch = MakeChan<Owner>();
  ch.Close();
  return ch;
}

TEST(RecvHandlerTest, TakesTheOptionalAnyWay) {
  InGort([] {
    int got = 0;
    Select(OnRecv(With(1), [&](std::optional<Owner> v) { got = **v; }));
    EXPECT_EQ(got, 1);
    Select(OnRecv(With(2), [&](std::optional<Owner>&& v) { got = **v; }));
    EXPECT_EQ(got, 2);
    Select(OnRecv(With(3), [&](const std::optional<Owner>& v) { got = **v; }));
    EXPECT_EQ(got, 3);
    Select(OnRecv(With(4), [&](auto v) { got = **v; }));
    EXPECT_EQ(got, 4);
    Select(OnRecv(RecvChan<Owner>(With(5)), [&](auto&& v) { got = **v; }));
    EXPECT_EQ(got, 5);
    Select(OnRecv(Ended(), [&](std::optional<Owner> v) { got = v.has_value(); }));
    EXPECT_EQ(got, 0);
  });
}

TEST(RecvHandlerTest, TakesTheElementAnyWay) {
  InGort([] {
    int got = 0;
    Select(OnRecv(With(1), [&](Owner v) { got = *v; }));
    EXPECT_EQ(got, 1);
    Select(OnRecv(With(2), [&](Owner&& v) { got = *v; }));
    EXPECT_EQ(got, 2);
    Select(OnRecv(With(3), [&](const Owner& v) { got = *v; }));
    EXPECT_EQ(got, 3);
    EXPECT_EQ(Select(OnRecv(Ended(), [&](Owner) { got = 4; })), 0);
    EXPECT_EQ(got, 3) << "not called at the end";
  });
}

TEST(RecvHandlerTest, TakesNothing) {
  InGort([] {
    int calls = 0;
    EXPECT_EQ(Select(OnRecv(With(1), [&] { ++calls; })), 0);
    EXPECT_EQ(Select(OnRecv(Ended(), [&] { ++calls; })), 0);
    EXPECT_EQ(calls, 2);
  });
}

TEST(RecvHandlerTest, IntoAVariable) {
  InGort([] {
    std::optional<Owner> out = std::make_unique<int>(9);
    auto never = MakeChan<Owner>();
    EXPECT_EQ(Select(OnRecv(never, &out), Default()), 1);
    EXPECT_EQ(**out, 9) << "not chosen: left alone";
    EXPECT_EQ(Select(OnRecv(never), OnRecv(RecvChan<Owner>(With(1)), &out)), 1);
    EXPECT_EQ(**out, 1);
    EXPECT_EQ(Select(OnRecv(Ended(), &out)), 0);
    EXPECT_FALSE(out.has_value());
    auto ch = With(2);
    EXPECT_EQ(Select(OnRecv(ch, nullptr)), 0);
    EXPECT_EQ(ch.Len(), 0u);
  });
}

TEST(RecvHandlerTest, AWaitingSelectIntoAVariable) {
  InGort([] {
    auto a = MakeChan<std::string>();
    auto b = MakeChan<int>();
    std::optional<std::string> text;
    std::optional<int> number;
    int chosen = -1;
    Probe p([&] { chosen = Select(OnRecv(a, &text), OnRecv(b, &number)); });
    ASSERT_EQ(p.Waits(), "select");
    b.Send(7);
    ASSERT_TRUE(p.Finish());
    EXPECT_EQ(chosen, 1);
    EXPECT_EQ(number, 7);
    EXPECT_FALSE(text.has_value());
  });
}

struct Large {
  explicit Large(int k) : v(k) {}
  Large(Large&&) = default;
  int v;
  std::array<char, 1 << 20> room;
};

TEST(RecvHandlerTest, LargeElementsStayOnTheHeap) {
  InGort([] {
    auto ch = MakeChan<Large>(1);
    auto send = [&](int n) { ch.Send(std::move(*std::make_unique<Large>(n))); };
    int got = 0;
    send(1);
    Select(OnRecv(ch, [&](Large&& v) { got = v.v; }));
    EXPECT_EQ(got, 1);
    send(2);
    Select(OnRecv(ch, [&](const std::optional<Large>& v) { got = v->v; }));
    EXPECT_EQ(got, 2);
    send(3);
    auto out = std::make_unique<std::optional<Large>>();
    Select(OnRecv(ch, out.get()));
    EXPECT_EQ((*out)->v, 3);
  });
}

// Throws when it is moved.
struct Throwing {
  explicit Throwing(int n) : v(n) {}
  Throwing(Throwing&& o) noexcept(false) : v(o.v) {
    if (fuse >= 0 && fuse-- == 0) throw std::runtime_error("move");
  }
  int v;
  static inline int fuse = -1;
};

TEST(RecvHandlerTest, WhatCannotBeMovedOutIsTheChannelsAgain) {
  InGort([] {
    auto ch = MakeChan<Throwing>(1);
    ch.Send(Throwing(7));
    std::optional<Throwing> out;
    int calls = 0;
    Throwing::fuse = 0;
    EXPECT_THROW(Select(OnRecv(ch, &out)), std::runtime_error);
    EXPECT_FALSE(out.has_value());
    Throwing::fuse = 0;
    EXPECT_THROW(Select(OnRecv(ch, [&](Throwing) { ++calls; })), std::runtime_error);
    Throwing::fuse = 0;
    EXPECT_THROW(Select(OnRecv(ch, [&](std::optional<Throwing>) { ++calls; })), std::runtime_error);
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(ch.Len(), 1u);
    Throwing::fuse = 0;
    Select(OnRecv(ch, [&] { ++calls; }));
    EXPECT_EQ(calls, 1) << "who wants nothing moves nothing";
    Throwing::fuse = -1;
  });
}

}  // namespace
}  // namespace gort
