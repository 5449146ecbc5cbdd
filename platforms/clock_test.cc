#include "gort/platforms/clock.h"

#include <chrono>
#include <ctime>
#include <thread>

#include "gtest/gtest.h"

namespace gort::rt {
namespace {

TEST(Clock, NanotimeIsPositiveAndNeverGoesBack) {
  int64_t last = Nanotime();
  EXPECT_GT(last, 0);
  for (int i = 0; i < 100000; ++i) {
    int64_t now = Nanotime();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Clock, NanotimeDoesNotGoBackFromThreadToThread) {
  int64_t before = Nanotime(), inside = 0;
  std::thread([&] { inside = Nanotime(); }).join();
  int64_t after = Nanotime();
  EXPECT_LE(before, inside);
  EXPECT_LE(inside, after);
}

TEST(Clock, NanotimeAgreesWithTheSteadyClock) {
  auto steady = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  int64_t lo = steady(), now = Nanotime(), hi = steady();
  EXPECT_LE(lo, now);
  EXPECT_LE(now, hi);
}

TEST(Clock, WalltimeIsNanosecondsSinceTheEpoch) {
  constexpr int64_t kSecond = 1'000'000'000;
  int64_t seconds = time(nullptr);
  int64_t now = Walltime();
  // time() may lag by a tick; an hour would be a wrong unit or zone.
  EXPECT_NEAR(static_cast<double>(now / kSecond), static_cast<double>(seconds), 60);
}

TEST(Clock, CpuTicksMoveOn) {
  int64_t first = CpuTicks();
  while (CpuTicks() == first) {
  }
}

}  // namespace
}  // namespace gort::rt
