// Elements as large as the stacks of the goroutines that send and receive them.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;

// Two of these do not fit into a stack of the default size.
constexpr size_t kBytes = 160 << 10;

using Plain = std::array<char, kBytes>;

// Not trivially copyable.
struct Owner {
  std::unique_ptr<int> p;
  std::array<char, 4 * kBytes> room;
};

struct Throws {
  Throws() = default;
  Throws(const Throws& o) : room(o.room) {}
  Throws& operator=(const Throws& o) {
    room = o.room;
    return *this;
  }
  std::array<char, 4 * kBytes> room;
};

template <class T>
struct Large {
  Chan<T> ch;
  std::unique_ptr<T> a = std::make_unique<T>();
  std::unique_ptr<T> b = std::make_unique<T>();
};

template <class T>
void Senders(const Large<T>& l) {
  l.ch.Send(std::move(*l.a));
  Select(OnSend(l.ch, std::move(*l.a)), OnRecv(Chan<T>()));
  Select(OnSend(l.ch, std::move(*l.b)));
  Selector s;
  s.Send(l.ch, std::move(*l.b)).Recv(Chan<T>());
  s.Run();
  while (!l.ch.TrySend(std::move(*l.a))) ::gort::testing::Yield();
  if constexpr (std::is_copy_constructible_v<T>) {
    const T& c = *l.a;
    l.ch.Send(c);
    while (!l.ch.TrySend(c)) ::gort::testing::Yield();
    Select(OnSend(l.ch, c), OnRecv(Chan<T>()));
  }
  l.ch.Close();
}

template <class T>
int Receivers(const Large<T>& l) {
  int n = 0;
  while (l.ch.TryRecv(l.b.get()) != RecvState::kValue) ::gort::testing::Yield();
  n += std::unique_ptr<std::optional<T>>(new std::optional<T>(l.ch.Recv()))->has_value();
  Select(OnRecv(l.ch, [&](auto&& v) { n += v.has_value(); }), OnRecv(Chan<T>()));
  Selector s;
  s.Recv(l.ch, [&](auto&& v) { n += v.has_value(); }).Recv(Chan<T>());
  s.Run();
  for (auto&& v : l.ch) n += sizeof(v) > 0;
  return 1 + n;
}

template <class T>
void EveryWay(int elements) {
  for (size_t cap : {0, 1, 3}) {
    const auto ch = MakeChan<T>(cap);
    Probe sender([ch] { Senders(Large<T>{ch}); });
    int n = 0;
    Probe receiver([&, ch] { n = Receivers(Large<T>{ch}); });
    EXPECT_TRUE(sender.Finish());
    EXPECT_TRUE(receiver.Finish());
    EXPECT_EQ(n, elements);
  }
}

TEST(ElementSizeTest, PlainBytes) {
  InGort([] {
    EveryWay<Plain>(8);
    EveryWay<std::array<char, 64 << 10>>(8);
    EveryWay<std::array<char, 4 * kBytes>>(8);
  });
}

TEST(ElementSizeTest, MoveOnly) {
  InGort([] { EveryWay<Owner>(5); });
}

TEST(ElementSizeTest, MovesThatMayThrow) {
  InGort([] { EveryWay<Throws>(8); });
}

}  // namespace
}  // namespace gort
