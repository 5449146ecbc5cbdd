// In steady state no operation allocates: this program counts every operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

void* operator new(size_t n) {
  ++allocations;
  if (void* p = malloc(n)) return p;
  throw std::bad_alloc();
}
void* operator new(size_t n, std::align_val_t align) {
  ++allocations;
  size_t a = static_cast<size_t>(align);
  if (void* p = aligned_alloc(a, (n + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
// Not counted: the runtime uses it when it starts a thread, which may happen at any time.
void* operator new(size_t n, const std::nothrow_t&) noexcept { return malloc(n); }
void operator delete(void* p) noexcept { free(p); }
void operator delete(void* p, size_t) noexcept { free(p); }
void operator delete(void* p, std::align_val_t) noexcept { free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { free(p); }

namespace gort {
namespace {

using ::gort::testing::InGort;

template <class F>
void ExpectNoAllocations(F f) {
  for (int i = 0; i < 100; ++i) f();
  int64_t before = allocations;
  for (int i = 0; i < 1000; ++i) f();
  EXPECT_EQ(allocations, before);
}

// Elements that own memory, moved and never copied.
TEST(ChanAllocTest, SendAndReceive) {
  InGort([] {
    for (size_t cap : {0, 1}) {
      auto there = MakeChan<std::unique_ptr<int>>(cap);
      auto back = MakeChan<std::unique_ptr<int>>(cap);
      Go([=] {
        for (std::unique_ptr<int> p : there) back.Send(std::move(p));
        back.Close();
      });
      auto p = std::make_unique<int>(7);
      ExpectNoAllocations([&] {
        there.Send(std::move(p));
        p = *back.Recv();
      });
      EXPECT_EQ(*p, 7);
      there.Close();
      EXPECT_FALSE(back.Recv().has_value());
    }
  });
}

TEST(ChanAllocTest, Select) {
  InGort([] {
    Chan<int> a = MakeChan<int>();
    Chan<int> b = MakeChan<int>();
    Chan<Unit> stop = MakeChan<Unit>();
    Go([=] {
      bool more = true;
      while (more) {
        Select(OnSend(a, 1), OnRecv(b), OnRecv(stop, [&](auto) { more = false; }));
      }
    });
    int n = 0;
    ExpectNoAllocations([&] {
      Select(OnRecv(a, [&](std::optional<int> v) { n += *v; }), OnSend(b, 2));
      Select(OnRecv(a), OnRecv(b), Default());
    });
    Selector s;
    s.Recv(a).Recv(b);
    ExpectNoAllocations([&] { s.Run(); });
    stop.Close();
  });
}

TEST(ChanAllocTest, SelectorThatChangesItsCases) {
  InGort([] {
    auto ch = MakeChan<std::unique_ptr<int>>(1);
    std::optional<std::unique_ptr<int>> got;
    auto mine = std::make_unique<int>(7);
    Selector s;
    s.Recv(ch, &got).Send(ch, std::make_unique<int>(8)).Send(ch, &mine).Disable(1);
    ExpectNoAllocations([&] {
      EXPECT_EQ(s.Run(), 2);
      EXPECT_EQ(s.Disable(2).Run(), 0);
      s.Refill(1, *std::move(got)).Enable(1);
      EXPECT_EQ(s.Run(), 1);
      EXPECT_EQ(s.Disable(1).Run(), 0);
      mine = *std::move(got);
      s.Enable(2);
    });
    EXPECT_EQ(*mine, 7);
  });
}

TEST(ChanAllocTest, Ranges) {
  InGort([] {
    auto ch = MakeChan<std::unique_ptr<int>>(1);
    auto p = std::make_unique<int>(7);
    ExpectNoAllocations([&] {
      ch.Send(std::move(p));
      for (std::unique_ptr<int> got : ch) {
        p = std::move(got);
        break;
      }
    });
  });
}

}  // namespace
}  // namespace gort
