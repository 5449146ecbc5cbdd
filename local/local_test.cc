// Locals: one value for each goroutine and thread, how long it lives, and what its constructor and
// destructor may do.
#include "gort/local/local.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gort/base/rand.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"

namespace gort {
namespace {

using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

constinit Local<int> counter;  // constant-initialised

// Calls a function when it is destroyed.
struct AtEnd {
  std::function<void()> f;
  ~AtEnd() {
    if (f) f();
  }
};

// Runs f in a goroutine, whose values are gone when this returns.
void InGoroutine(const std::function<void()>& f) {
  std::atomic<bool> ended{false};
  static Local<AtEnd> last;  // made first
  Go([&] {
    last->f = [&] { ended = true; };
    f();
  });
  ASSERT_TRUE(Eventually([&] { return ended.load(); }));
}

TEST(LocalTest, EachGoroutineHasItsOwn) {
  InGort([] {
    Procs many(8);
    std::atomic<int> running{100};
    std::atomic<int> wrong{0};
    for (int i = 0; i < 100; ++i) {
      Go([&, i] {
        wrong += *counter != 0;
        *counter = i;
        for (int k = 0; k < 50; ++k) {
          Yield();
          wrong += *counter != i + k;
          ++*counter;
        }
        --running;
      });
    }
    EXPECT_TRUE(Eventually([&] { return running == 0; }));
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(counter.Find(), nullptr);
  });
}

TEST(LocalTest, NothingIsInherited) {
  InGort([] {
    *counter = 7;
    InGoroutine([] { EXPECT_EQ(*counter, 0); });
    EXPECT_EQ(*counter, 7);
  });
}

TEST(LocalTest, BeforeAndAfterRunAndOnThreads) {
  *counter = 1;  // the test's own thread
  std::thread other([] {
    EXPECT_EQ(*counter, 0);
    *counter = 2;
    InGort([] { EXPECT_EQ(*counter, 0); });
    EXPECT_EQ(*counter, 2);
  });
  other.join();
  InGort([] { EXPECT_EQ(*counter, 0); });
  EXPECT_EQ(*counter, 1);
  counter.Reset();
  EXPECT_EQ(*counter, 0);
}

TEST(LocalTest, InALockedGoroutine) {
  InGort([] {
    std::atomic<bool> ended{false};
    Local<AtEnd> at_end;
    Go([&] {
      rt::LockOSThread();
      at_end->f = [&] { ended = true; };
      *counter = 3;
      for (int i = 0; i < 10; ++i) Yield();
      EXPECT_EQ(*counter, 3);
    });
    EXPECT_TRUE(Eventually([&] { return ended.load(); }));
  });
}

// ---- types and makers ----

struct Fixed {  // cannot be moved, has no default constructor
  explicit Fixed(int n) : v(n) {}
  Fixed(const Fixed&) = delete;
  const int v;
};
struct alignas(256) Wide {
  bool Aligned() const { return reinterpret_cast<uintptr_t>(this) % 256 == 0; }
  char bytes[1000];
};

TEST(LocalTest, TypesAndMakers) {
  InGort([] {
    auto held = std::make_unique<int>(5);
    const Local<Fixed> fixed([n = 4] { return Fixed(n); });
    const Local<int> from_move_only([p = std::move(held)] { return *p; });
    Local<std::string> text([] { return "converted"; });
    Local<Wide> wide;
    Local<std::unique_ptr<int>> owner;
    Local<std::vector<int>> list([] { return std::vector<int>{1, 2, 3}; });
    EXPECT_EQ(fixed->v, 4);
    EXPECT_EQ(*from_move_only, 5);
    EXPECT_EQ(*text, "converted");
    EXPECT_TRUE(wide->Aligned());
    EXPECT_EQ(wide->bytes[999], 0) << "a value is T()";
    EXPECT_EQ(*owner, nullptr);
    EXPECT_EQ(list->size(), 3u);
    EXPECT_EQ(fixed.get(), &*fixed);
    static_assert(!std::is_default_constructible_v<Local<Fixed>>);
    static_assert(!std::is_copy_constructible_v<Local<int>>);
    static_assert(!std::is_constructible_v<Local<int>, std::string>);
  });
}

TEST(LocalTest, AMakerThatThrowsIsCalledAgain) {
  InGort([] {
    int calls = 0;
    Local<int> l([&] {
      if (++calls < 3) throw std::runtime_error("not yet");
      return calls;
    });
    EXPECT_THROW(*l, std::runtime_error);
    EXPECT_EQ(l.Find(), nullptr);
    EXPECT_THROW(*l, std::runtime_error);
    EXPECT_EQ(*l, 3);
    EXPECT_EQ(*l, 3);
  });
}

TEST(LocalTest, AMakerMayWaitAndUseLocals) {
  InGort([] {
    Local<int> base([] { return 40; });
    Local<int> sum([&] {
      Yield();
      return *base + 2;
    });
    EXPECT_EQ(*sum, 42);
    // One that asks for itself: the value made within is the value.
    const Local<int>* self = nullptr;
    int depth = 0;
    Local<int> again([&] { return ++depth < 3 ? *self->get() + 1 : 1; });
    self = &again;
    EXPECT_EQ(*again, 1);
    EXPECT_EQ(*again, 1);
  });
}

// ---- the end ----

TEST(LocalTest, ValuesEndInTheReverseOrderAfterTheFunction) {
  InGort([] {
    std::string order;
    Local<AtEnd> a, b, c;
    std::atomic<bool> ended{false};
    Local<AtEnd> first;
    auto capture = std::make_shared<AtEnd>();
    capture->f = [&] { order += "f"; };
    Go([&, capture = std::move(capture)] {
      first->f = [&] { ended = true; };
      a->f = [&] { order += "a"; };
      b->f = [&] { order += "b"; };
      c->f = [&] { order += "c"; };
    });
    ASSERT_TRUE(Eventually([&] { return ended.load(); }));
    EXPECT_EQ(order, "fcba");
  });
}

TEST(LocalTest, ADestructorMayWaitAndUseLocals) {
  InGort([] {
    Local<std::string> name;
    Local<AtEnd> end;
    std::string seen;
    InGoroutine([&] {
      *name = "old";
      end->f = [&] {
        for (int i = 0; i < 5; ++i) Yield();
        seen += *name + "," + (end.Find() != nullptr ? "itself," : "gone,");
        end.Reset();  // no effect on one that is being destroyed
      };
      *name += "er";
    });
    EXPECT_EQ(seen, "older,itself,");
  });
}

// A destructor that uses what was destroyed before it gets a new one, which goes in its turn.
TEST(LocalTest, WhatWasDestroyedIsMadeAnew) {
  InGort([] {
    std::atomic<int> made{0}, destroyed{0};
    struct Counted {
      std::atomic<int>* destroyed;
      ~Counted() { ++*destroyed; }
    };
    Local<Counted> late([&] {
      ++made;
      return Counted{&destroyed};
    });
    Local<AtEnd> end;
    InGoroutine([&] {
      end->f = [&] { late.get(); };
      late.get();
    });
    EXPECT_EQ(made, 2);
    EXPECT_EQ(destroyed, 2);
  });
}

TEST(LocalTest, AfterGoexitAndExceptionsWithin) {
  InGort([] {
    Local<AtEnd> end;
    std::atomic<int> ended{0};
    Go([&] {
      end->f = [&] {
        Yield();
        try {
          throw std::runtime_error("within");
        } catch (const std::runtime_error&) {
          ++ended;
        }
      };
      AtEnd unwound{[&] { *counter = 5; }};
      rt::Goexit();
    });
    EXPECT_TRUE(Eventually([&] { return ended == 1; }));
  });
}

// As if they were thread_local: after the objects that were made later, before those made earlier,
// which may have them made anew.
TEST(LocalTest, ThreadsEndTheirs) {
  std::string order;
  Local<AtEnd> end;
  std::thread t([&] {
    thread_local AtEnd earlier;
    earlier.f = [&] {
      order += "earlier ";
      end->f = [&] { order += "again "; };
    };
    end->f = [&] {
      order += "value ";
      InGort([&] { order += "waited "; });
    };
    thread_local AtEnd later;
    later.f = [&] { order += "later "; };
  });
  t.join();
  EXPECT_EQ(order, "later value waited earlier again ");
}

TEST(LocalTest, AMainFunctionEndsItsValuesBeforeRunReturns) {
  Local<AtEnd> end;
  bool ended = false;
  InGort([&] { end->f = [&] { ended = true; }; });
  EXPECT_TRUE(ended);
}

TEST(LocalTest, GoroutinesWithoutValuesHaveNothing) {
  InGort([] {
    std::atomic<int> bad{-1};
    Go([&] {
      counter.Find();
      rt::G* gp = rt::Getg();
      bad = gp->rare || gp->locals != nullptr;
    });
    EXPECT_TRUE(Eventually([&] { return bad == 0; }));
  });
}

// ---- Locals that come and go ----

TEST(LocalTest, ADestroyedLocalTakesTheCallersValueAlong) {
  InGort([] {
    int ended = 0;
    {
      Local<AtEnd> l;
      l->f = [&] { ++ended; };
    }
    EXPECT_EQ(ended, 1);
  });
}

TEST(LocalTest, ValuesOfOthersOutliveTheLocal) {
  InGort([] {
    auto l = std::make_unique<Local<AtEnd>>();
    std::atomic<int> ended{0};
    std::atomic<bool> made{false}, go{false};
    Go([&] {
      AtEnd& mine = **l;
      mine.f = [&] { ++ended; };
      made = true;
      while (!go) Yield();
      EXPECT_TRUE(mine.f != nullptr) << "the reference is good still";
    });
    ASSERT_TRUE(Eventually([&] { return made.load(); }));
    l.reset();
    EXPECT_EQ(ended, 0);
    go = true;
    EXPECT_TRUE(Eventually([&] { return ended == 1; }));
  });
}

TEST(LocalTest, PlacesAreUsedAgain) {
  InGort([] {
    int ended = 0, wrong = 0;
    for (int i = 0; i < 20'000; ++i) {
      Local<AtEnd> l;
      wrong += l.Find() != nullptr;
      l->f = [&] { ++ended; };
    }
    EXPECT_EQ(ended, 20'000);
    EXPECT_EQ(wrong, 0);
    // By another goroutine, which therefore cannot end the values: they do not pile up here.
    std::unique_ptr<Local<AtEnd>> l;
    ended = 0;
    for (int i = 0; i < 1000; ++i) {
      l = std::make_unique<Local<AtEnd>>();
      (*l)->f = [&] { ++ended; };
      std::thread([&] { l.reset(); }).join();
      EXPECT_LE(i - ended, 4);
    }
  });
}

TEST(LocalTest, ThousandsAtOnce) {
  InGort([] {
    std::vector<std::unique_ptr<Local<int>>> all;
    for (int i = 0; i < 5000; ++i) all.push_back(std::make_unique<Local<int>>());
    InGoroutine([&] {
      for (int i = 0; i < 5000; ++i) **all[static_cast<size_t>(i)] = i;
      for (int i = 0; i < 5000; ++i) EXPECT_EQ(**all[static_cast<size_t>(i)], i);
    });
    for (auto& l : all) EXPECT_EQ(l->Find(), nullptr);
    EXPECT_EQ(**all[4999], 0);
  });
}

// Values that a Local left here go when their place is used again, and may do then what they like.
TEST(LocalTest, WhatIsLeftInAPlaceMayUseTheNewLocal) {
  InGort([] {
    auto l = std::make_unique<Local<AtEnd>>();
    std::unique_ptr<Local<AtEnd>> next;
    int ended = 0;
    (*l)->f = [&] {
      ++ended;
      (**next).f = [&] { ended += 100; };
    };
    std::thread([&] {
      l.reset();
      next = std::make_unique<Local<AtEnd>>();
      next->get();
    }).join();
    AtEnd& value = **next;
    EXPECT_EQ(ended, 1);
    EXPECT_TRUE(value.f != nullptr) << "the one that the destructor made";
    next.reset();
    EXPECT_EQ(ended, 101);
  });
}

// Random makes, uses, resets and ends of Locals by many goroutines.
void Storm(uint64_t seed) {
  constexpr int kLocals = 40;
  std::atomic<int> alive{0}, wrong{0}, running{8};
  struct Value {
    explicit Value(std::atomic<int>* n) : alive(n) { ++*alive; }
    ~Value() { --*alive; }
    Value(const Value&) = delete;
    std::atomic<int>* alive;
    uint64_t owner = 0;
  };
  rt::FastRand rand(seed);
  std::vector<std::unique_ptr<Local<Value>>> shared;
  for (int i = 0; i < kLocals; ++i) {
    shared.push_back(std::make_unique<Local<Value>>([&] { return Value(&alive); }));
  }
  for (int g = 0; g < 8; ++g) {
    Go([&, mine = rt::FastRand(rand.Next64()), id = static_cast<uint64_t>(g + 1)]() mutable {
      std::vector<std::unique_ptr<Local<Value>>> own;
      for (int k = 0; k < 400; ++k) {
        Local<Value>& l = *shared[mine.N(kLocals)];
        if (mine.N(8) == 0) l.Reset();
        if (l->owner != 0 && l->owner != id) ++wrong;
        l->owner = id;
        if (mine.N(4) == 0) {
          own.push_back(std::make_unique<Local<Value>>([&] { return Value(&alive); }));
          (*own.back())->owner = id;
        }
        if (!own.empty() && mine.N(4) == 0) own.erase(own.begin());
        if (mine.N(4) == 0) Yield();
      }
      own.clear();
      --running;
    });
  }
  ASSERT_TRUE(Eventually([&] { return running == 0 && alive == 0; })) << alive;
  EXPECT_EQ(wrong, 0) << "seed " << seed;
}

TEST(LocalTest, ManyGoroutinesAndManyLocals) {
  const int seeds = testing::Slow() ? 5 : 50;
  for (const int procs : {1, 8}) {
    InGort([&] {
      Procs p(procs);
      for (int i = 0; i < seeds; ++i) Storm(static_cast<uint64_t>(i));
    });
  }
}

}  // namespace
}  // namespace gort
