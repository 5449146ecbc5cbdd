// What a goroutine is given, where that lies, and when it gets a stack.
#include <gtest/gtest.h>

#include <cerrno>
#include <cfenv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <set>
#include <stdexcept>
#include <string>

#include "gort/gmp/g.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/runtime.h"
#include "gort/stack/internal/stack_layout.h"
#include "gort/sync/wait_group.h"

namespace gort {
namespace {

int alive = 0;  // goroutines of one P change it

// As large and as aligned as asked for, with a content of its own.
template <size_t kBytes, size_t kAlign>
struct alignas(kAlign) Thing {
  unsigned char bytes[kBytes];

  explicit Thing(unsigned char mark) {
    memset(bytes, mark, kBytes);
    ++alive;
  }
  Thing(const Thing& other) {
    memcpy(bytes, other.bytes, kBytes);
    ++alive;
  }
  ~Thing() { --alive; }

  bool Is(unsigned char mark) const {
    for (unsigned char b : bytes) {
      if (b != mark) return false;
    }
    return reinterpret_cast<uintptr_t>(this) % kAlign == 0;
  }
};

template <size_t kBytes, size_t kAlign>
void ExpectArrives() {
  int right = 0;
  WaitGroup all;
  all.Add(3);
  for (unsigned char mark : {1, 2, 3}) {
    Go(
        [&right, &all, mark](const Thing<kBytes, kAlign>& thing) {
          right += thing.Is(mark);
          Gosched();
          right += thing.Is(mark);
          all.Done();
        },
        Thing<kBytes, kAlign>(mark));
  }
  all.Wait();
  EXPECT_EQ(right, 6) << kBytes << " bytes, aligned to " << kAlign;
  while (alive != 0) Gosched();  // the last one is about to end
}

TEST(Spawn, ArgumentsOfEverySizeArriveAndAreDestroyedOnce) {
  gort::Run([] {
    GOMAXPROCS(1);
    ExpectArrives<1, 1>();
    ExpectArrives<39, 1>();
    ExpectArrives<40, 8>();  // with the captures 64 bytes
    ExpectArrives<41, 1>();
    ExpectArrives<48, 16>();
    ExpectArrives<32, 32>();
    ExpectArrives<64, 64>();
    ExpectArrives<992, 1>();
    ExpectArrives<1000, 8>();
    ExpectArrives<1024, 8>();
    ExpectArrives<5000, 1>();
    ExpectArrives<4096, 4096>();
    return 0;
  });
}

struct ThrowsWhenCopied {
  ThrowsWhenCopied() = default;
  ThrowsWhenCopied(const ThrowsWhenCopied&) { throw std::runtime_error("copy"); }
};

TEST(Spawn, NothingStartsWhenAnArgumentCannotBeCopied) {
  gort::Run([] {
    const int before = NumGoroutine();
    const ThrowsWhenCopied argument;
    for (int i = 0; i < 100; ++i) {
      EXPECT_THROW(Go([](const ThrowsWhenCopied&) {}, argument), std::runtime_error);
    }
    EXPECT_EQ(NumGoroutine(), before);
    return 0;
  });
}

TEST(Spawn, ABurstOfShortGoroutinesUsesFewStacks) {
  gort::Run([] {
    GOMAXPROCS(1);
    std::set<uintptr_t> stacks;
    WaitGroup all;
    constexpr int kMany = 5000;
    all.Add(kMany);
    for (int i = 0; i < kMany; ++i) {
      Go([&stacks, &all] {
        stacks.insert(reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) / rt::kDefaultStack);
        all.Done();
      });
    }
    all.Wait();
    // The test itself may lose its P now and then.
    EXPECT_LE(stacks.size(), 20U);
    return 0;
  });
}

__attribute__((noinline)) void NotYetRunning(WaitGroup* all) { all->Done(); }

TEST(Spawn, AReportNamesWhatHasNotRunYet) {
  gort::Run([] {
    GOMAXPROCS(1);
    WaitGroup all;
    all.Add(1);
    Go(&NotYetRunning, &all);
    const std::string report = Stack(true);
    EXPECT_NE(report.find("[runnable]"), std::string::npos) << report;
    EXPECT_NE(report.find("rt::Closure<...>::Run("), std::string::npos) << report;
    EXPECT_NE(report.find("created by"), std::string::npos) << report;
    all.Wait();
    return 0;
  });
}

// The goroutine that waits on the frozen one calls this.
uintptr_t stack_under_freeze = 1;
rt::G* frozen = nullptr;
void LookAndThaw() {
  stack_under_freeze = frozen->stack.lo;
  rt::CasFromGScanStatus(frozen, rt::kGRunnable | rt::kGScan);
}

// A report reads a frozen goroutine's context, so nobody may write it meanwhile.
TEST(Spawn, AFrozenGoroutineIsGivenItsStackAfterwards) {
  gort::Run([] {
    GOMAXPROCS(1);
    WaitGroup all;
    all.Add(1);
    GoOptions named;
    named.name = "named";  // so that it can be frozen before it has run
    Go(named, &NotYetRunning, &all);
    frozen = rt::allgs.load();
    while (frozen->name == nullptr) frozen = frozen->alllink;
    EXPECT_TRUE(rt::CasToGScanStatus(frozen, rt::kGRunnable));
    const auto before = rt::scan_wait_hook.Get();
    rt::scan_wait_hook.Set(&LookAndThaw);
    all.Wait();
    rt::scan_wait_hook.Set(before);
    EXPECT_EQ(stack_under_freeze, uintptr_t{0});
    return 0;
  });
}

struct Finally {
  WaitGroup* all;
  ~Finally() { all->Done(); }
};

// Ends a goroutine that leaves the thread in an unusual state, and then begins one beside it, mostly
// on the same stack and without a switch.
void ExpectClean(void (*leaves)()) {
  WaitGroup all;
  all.Add(2);
  int rounding = -1;
  int error = -1;
  int uncaught = -1;
  bool caught = true;
  Go([&] {
    Gosched();  // runs again behind the one that leaves
    rounding = fegetround();
    all.Done();
  });
  Go([&all, leaves] {
    const Finally done{&all};
    leaves();
  });
  Go([&] {
    all.Add(1);
    error = errno;
    uncaught = std::uncaught_exceptions();
    caught = std::current_exception() != nullptr;
    EXPECT_EQ(fegetround(), FE_TONEAREST);
    all.Done();
  });
  all.Wait();
  while (uncaught == -1) Gosched();
  EXPECT_EQ(rounding, FE_TONEAREST);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(uncaught, 0);
  EXPECT_FALSE(caught);
  EXPECT_EQ(fegetround(), FE_TONEAREST);
}

TEST(Spawn, TheStateOfOneThatEndsIsNotThatOfTheNext) {
  gort::Run([] {
    GOMAXPROCS(1);
    ExpectClean([] {});
    ExpectClean([] { fesetround(FE_UPWARD); });
    ExpectClean([] { errno = 77; });
    ExpectClean([] {
      try {
        throw std::runtime_error("left");
      } catch (...) {
        Goexit();
      }
    });
    return 0;
  });
}

TEST(Spawn, AGoroutineBeginsWithTheRoundingOfItsCreator) {
  gort::Run([] {
    GOMAXPROCS(1);
    int seen[3] = {};
    WaitGroup all;
    all.Add(3);
    Go([&] { seen[0] = fegetround(), all.Done(); });
    fesetround(FE_DOWNWARD);
    Go([&] { seen[1] = fegetround(), all.Done(); });
    fesetround(FE_TONEAREST);
    Go([&] { seen[2] = fegetround(), all.Done(); });
    all.Wait();
    EXPECT_EQ(seen[0], FE_TONEAREST);
    EXPECT_EQ(seen[1], FE_DOWNWARD);
    EXPECT_EQ(seen[2], FE_TONEAREST);
    return 0;
  });
}

}  // namespace
}  // namespace gort
