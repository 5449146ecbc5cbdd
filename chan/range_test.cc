// Channels as ranges.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;

struct Large {
  std::array<char, 4096> room;
};
struct MayThrow {
  MayThrow(const MayThrow& o) : s(o.s) {}
  std::string s;
};

template <class T>
constexpr bool IsRange() {
  return std::ranges::input_range<Chan<T>> && std::ranges::input_range<const Chan<T>&> &&
         std::ranges::input_range<RecvChan<T>> && std::ranges::view<Chan<T>> &&
         std::ranges::view<RecvChan<T>> && !std::ranges::forward_range<Chan<T>>;
}
static_assert(IsRange<int>());
static_assert(IsRange<Unit>());
static_assert(IsRange<std::string>());
static_assert(IsRange<std::unique_ptr<int>>());
static_assert(IsRange<Large>());
static_assert(IsRange<Chan<int>>());
static_assert(!std::ranges::input_range<Chan<MayThrow>>, "its *it works once");
static_assert(!std::ranges::range<SendChan<int>>);
static_assert(std::is_same_v<std::ranges::range_value_t<Chan<std::string>>, std::string>);
static_assert(std::is_same_v<std::ranges::range_reference_t<Chan<std::string>>, std::string&&>);

Chan<int> Numbers(int n) {
  auto ch = MakeChan<int>(static_cast<size_t>(n));
  for (int i = 1; i <= n; ++i) ch.Send(i);
  return ch;
}

TEST(RangeTest, IteratorsMoveWithTheirElement) {
  InGort([] {
    auto ch = MakeChan<std::string>(2);
    ch.Send("a");
    ch.Send("b");
    ch.Close();
    auto it = ch.begin();
    EXPECT_EQ(*it, "a");
    auto other = std::move(it);
    EXPECT_EQ(*other, "a");
    auto assigned = ch.begin();
    assigned = std::move(other);
    EXPECT_EQ(*assigned, "a");
    ++assigned;
    EXPECT_EQ(std::string(*assigned), "b");
    assigned++;
    EXPECT_TRUE(assigned == ch.end());
  });
}

TEST(RangeTest, LooksAreNotReceives) {
  InGort([] {
    auto ch = Numbers(3);
    auto it = ch.begin();
    EXPECT_EQ(ch.Len(), 3u) << "begin() receives nothing";
    EXPECT_EQ(*it, 1);
    EXPECT_EQ(*it, 1);
    EXPECT_FALSE(it == ch.end());
    EXPECT_EQ(ch.Len(), 2u);
    ++it;
    ++it;  // one skipped
    EXPECT_EQ(*it, 3);
  });
}

TEST(RangeTest, AlgorithmsOfIterators) {
  InGort([] {
    auto ch = Numbers(4);
    ch.Close();
    int sum = 0;
    std::ranges::for_each(ch, [&](int n) { sum += n; });
    EXPECT_EQ(sum, 10);
    auto more = Numbers(4);
    more.Close();
    EXPECT_EQ(*std::ranges::find(more, 3), 3);
    EXPECT_EQ(more.Recv(), 4);
  });
}

// clang 14 does not compile the views of libstdc++ 12.
#if !defined(__clang__) || __clang_major__ >= 16

TEST(RangeTest, TakeReceivesNoMoreThanItGives) {
  InGort([] {
    auto ch = Numbers(4);
    std::vector<int> got;
    for (int n : ch | std::views::take(3)) got.push_back(n);
    EXPECT_EQ(got, (std::vector{1, 2, 3}));
    EXPECT_EQ(ch.Len(), 1u);
    for (int n : ch | std::views::take(1)) EXPECT_EQ(n, 4);  // and does not wait for a fifth
  });
}

TEST(RangeTest, FilterAndTransform) {
  InGort([] {
    auto ch = Numbers(6);
    ch.Close();
    std::string got;
    auto even = [](int n) { return n % 2 == 0; };
    for (std::string s : RecvChan<int>(ch) | std::views::filter(even) |
                             std::views::transform([](int n) { return std::to_string(n * 10); })) {
      got += s + " ";
    }
    EXPECT_EQ(got, "20 40 60 ");
  });
}

TEST(RangeTest, MoveOnlyElementsThroughViews) {
  InGort([] {
    auto ch = MakeChan<std::unique_ptr<int>>();
    Probe sender([ch] {
      for (int i = 0; i < 10; ++i) ch.Send(std::make_unique<int>(i));
      ch.Close();
    });
    int sum = 0;
    auto odd = [](const std::unique_ptr<int>& p) { return *p % 2 == 1; };
    for (std::unique_ptr<int> p : ch | std::views::filter(odd)) sum += *p;
    EXPECT_EQ(sum, 1 + 3 + 5 + 7 + 9);
    EXPECT_TRUE(sender.Finish());
  });
}

TEST(RangeTest, AViewKeepsItsChannel) {
  InGort([] {
    auto firsts = [] { return Numbers(5) | std::views::drop(1) | std::views::take(2); };
    std::vector<int> got;
    for (int n : firsts()) got.push_back(n);
    EXPECT_EQ(got, (std::vector{2, 3}));
  });
}

#endif

}  // namespace
}  // namespace gort
