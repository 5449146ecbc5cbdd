// bench/preempt.cc: how late a goroutine wakes beside one that never calls anything.
#include <atomic>
#include <memory>

#include "gort/bench/workload.h"
#include "gort/timer/sleep.h"

// Code outside of namespace gort counts as the program's, and can be pre-empted.
namespace spinner {
namespace {

// Loop rounds that take a time; a call of nothing.
__attribute__((noinline)) int64_t Spin(int64_t rounds) {
  int64_t x = 0;
  for (int64_t i = 0; i < rounds; ++i) asm volatile("" : "+r"(++x));
  return x;
}

int64_t RoundsPerMs() {
  static const int64_t rounds = [] {
    constexpr int64_t kProbe = 200'000'000;
    const gort::bench::Clock::time_point start = gort::bench::Clock::now();
    Spin(kProbe);
    return static_cast<int64_t>(kProbe / gort::bench::Ms(gort::bench::Clock::now() - start));
  }();
  return rounds;
}

// Starts a goroutine that spins for about ms milliseconds and then says so.
std::shared_ptr<std::atomic<bool>> Start(int64_t ms) {
  auto done = std::make_shared<std::atomic<bool>>(false);
  gort::Go([done, rounds = ms * RoundsPerMs()] {
    Spin(rounds);
    done->store(true);
  });
  return done;
}

}  // namespace
}  // namespace spinner

namespace gort::bench {

Values Preempt(int64_t n) {
  const auto done = spinner::Start(n);
  Values late;
  while (!done->load()) {
    const Clock::time_point start = Clock::now();
    Sleep(absl::Milliseconds(1));
    late.push_back(Ns(Clock::now() - start) / 1e3 - 1e3);
  }
  return {Quantile(late, 0.5), Quantile(late, 0.99), Quantile(late, 1),
          static_cast<double>(late.size())};
}

}  // namespace gort::bench
