// A value that was not sent is with its owner: TrySend, TrySendState, and the cases of select that
// send from a variable.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Probe;

template <size_t n>
struct Sized {
  explicit Sized(int k) : v(k), owner(new int(k)) { room.back() = static_cast<char>(k); }
  bool Is(int k) const { return v == k && owner && *owner == k && room.back() == k; }
  bool Gone() const { return owner == nullptr; }
  const int v;  // neither default-constructible nor assignable
  std::unique_ptr<int> owner;
  std::array<char, n> room;
};
struct alignas(256) Aligned {
  explicit Aligned(int k) : v(k), owner(new int(k)) {}
  bool Is(int k) const {
    return v == k && owner && *owner == k && reinterpret_cast<uintptr_t>(this) % 256 == 0;
  }
  bool Gone() const { return owner == nullptr; }
  int v;
  std::unique_ptr<int> owner;
};
// Carried as it is, without a box.
struct Pointer {
  explicit Pointer(int k) : owner(new int(k)) {}
  bool Is(int k) const { return owner && *owner == k; }
  bool Gone() const { return owner == nullptr; }
  std::unique_ptr<int> owner;
};
// Its move may throw; it can be copied.
struct Copied {
  explicit Copied(int k) : v(k) {}
  Copied(const Copied& o) : v(o.v) { Burn(); }
  Copied(Copied&& o) : v(std::exchange(o.v, -1)) { Burn(); }  // NOLINT: may throw
  static void Burn() {
    if (fuse >= 0 && fuse-- == 0) throw std::runtime_error("move");
  }
  bool Is(int k) const { return v == k; }
  bool Gone() const { return true; }  // what a send leaves is not said
  int v;
  static inline int fuse = -1;
};

}  // namespace
}  // namespace gort

template <>
inline constexpr bool gort::kRelocatable<gort::Pointer> = true;

namespace gort {
namespace {

template <class T>
struct LendTest : ::testing::Test {};
using Elements =
    ::testing::Types<Pointer, Sized<64>, Sized<4 << 10>, Sized<1 << 20>, Aligned, Copied>;
TYPED_TEST_SUITE(LendTest, Elements);

TYPED_TEST(LendTest, ATryThatFailsLeavesTheValue) {
  InGort([] {
    auto v = std::make_unique<TypeParam>(5);
    auto full = MakeChan<TypeParam>();
    EXPECT_FALSE(full.TrySend(std::move(*v)));
    EXPECT_EQ(full.TrySendState(std::move(*v)), SendState::kFull);
    EXPECT_EQ(Chan<TypeParam>().TrySendState(std::move(*v)), SendState::kFull) << "nil";
    EXPECT_TRUE(v->Is(5));
    full.Close();
    EXPECT_EQ(full.TrySendState(std::move(*v)), SendState::kClosed);
    EXPECT_TRUE(v->Is(5));
    EXPECT_THROW(full.TrySend(std::move(*v)), Panic);
    EXPECT_TRUE(v->Is(5)) << "with a Panic, too";
    auto open = MakeChan<TypeParam>(1);
    EXPECT_EQ(SendChan<TypeParam>(open).TrySendState(std::move(*v)), SendState::kSent);
    EXPECT_TRUE(v->Gone());
    EXPECT_EQ(open.Len(), 1u);
  });
}

TYPED_TEST(LendTest, SelectTakesItWhenTheCaseIsChosen) {
  InGort([] {
    auto v = std::make_unique<TypeParam>(5);
    auto full = MakeChan<TypeParam>();
    auto other = MakeChan<int>(1);
    other.Send(1);
    int sent = 0;
    EXPECT_EQ(Select(OnSend(full, v.get()), Default([&] { EXPECT_TRUE(v->Is(5)); })), 1);
    EXPECT_EQ(Select(OnSend(full, v.get()), OnRecv(other, [&](int) { EXPECT_TRUE(v->Is(5)); })), 1);
    auto open = MakeChan<TypeParam>(1);
    EXPECT_EQ(Select(OnSend(open, v.get(), [&] { ++sent; }), OnRecv(other)), 0);
    EXPECT_TRUE(v->Gone());
    EXPECT_EQ(sent, 1);
    for (auto&& got : open) {
      EXPECT_TRUE(got.Is(5));
      open.Close();
    }
  });
}

TYPED_TEST(LendTest, AWaitingSelectGivesItBack) {
  InGort([] {
    auto v = std::make_unique<TypeParam>(5);
    auto full = MakeChan<TypeParam>();
    auto stop = MakeChan<Unit>();
    int chosen = -1;
    Probe p([&] { chosen = Select(OnSend(full, v.get()), OnRecv(stop)); });
    ASSERT_EQ(p.Waits(), "select");
    stop.Close();
    ASSERT_TRUE(p.Finish());
    EXPECT_EQ(chosen, 1);
    EXPECT_TRUE(v->Is(5));
    bool panicked = false;
    Probe q([&] {
      try {
        Select(OnSend(full, v.get()), OnRecv(Chan<int>()));
      } catch (const Panic&) {
        panicked = v->Is(5);
      }
    });
    ASSERT_EQ(q.Waits(), "select");
    full.Close();
    ASSERT_TRUE(q.Finish());
    EXPECT_TRUE(panicked);
  });
}

// One value for whoever is ready first.
TYPED_TEST(LendTest, OneVariableForManyChannels) {
  InGort([] {
    auto v = std::make_unique<TypeParam>(5);
    auto a = MakeChan<TypeParam>();
    auto b = MakeChan<TypeParam>(1);
    EXPECT_EQ(Select(OnSend(a, v.get()), OnSend(a, v.get()), Default()), 2);
    EXPECT_TRUE(v->Is(5));
    EXPECT_EQ(Select(OnSend(a, v.get()), OnSend(b, v.get()), OnSend(a, v.get())), 1);
    EXPECT_TRUE(v->Gone());
    for (auto&& got : b) {
      EXPECT_TRUE(got.Is(5));
      b.Close();
    }
  });
}

TEST(LendTest, ACopyThatThrowsLeavesTheValue) {
  InGort([] {
    Copied v(5);
    auto a = MakeChan<Copied>(1);
    Pointer first(1);
    auto b = MakeChan<Pointer>(1);
    Copied::fuse = 0;
    EXPECT_THROW(Select(OnSend(b, &first), OnSend(a, &v)), std::runtime_error);
    EXPECT_TRUE(first.Is(1));
    EXPECT_TRUE(v.Is(5));
    EXPECT_EQ(a.Len() + b.Len(), 0u);
  });
}

TEST(LendTest, PointersThatAreValuesAreSent) {
  InGort([] {
    int i = 3;
    auto pointers = MakeChan<int*>(1);
    Select(OnSend(pointers, &i));
    EXPECT_EQ(pointers.Recv(), &i);
    int* p = &i;
    Select(OnSend(pointers, &p));  // from the variable p
    EXPECT_EQ(pointers.Recv(), &i);
    auto any = MakeChan<void*>(1);
    Select(OnSend(any, &p));
    EXPECT_EQ(any.Recv(), static_cast<void*>(&p));
    bool no = false;
    auto bools = MakeChan<bool>(1);
    Select(OnSend(bools, &no));
    EXPECT_EQ(bools.Recv(), false) << "not whether the address is null";
    auto texts = MakeChan<std::string>(1);
    Select(OnSend(texts, "literal"));
    EXPECT_EQ(texts.Recv(), "literal");
    std::string s = "variable";
    Select(OnSend(SendChan<std::string>(texts), &s));
    EXPECT_EQ(texts.Recv(), "variable");
  });
}

TEST(LendTest, CasesMayBeUsedAgain) {
  InGort([] {
    auto ch = MakeChan<Pointer>(3);
    Pointer v(0);
    auto from_v = OnSend(ch, &v);
    for (int i = 1; i <= 3; ++i) {
      v = Pointer(i);
      EXPECT_EQ(Select(from_v, Default()), 0);
    }
    v = Pointer(4);
    EXPECT_EQ(Select(from_v, Default()), 1);
    EXPECT_TRUE(v.Is(4));
    for (int i = 1; i <= 3; ++i) EXPECT_TRUE(ch.Recv()->Is(i));
  });
}

}  // namespace
}  // namespace gort
