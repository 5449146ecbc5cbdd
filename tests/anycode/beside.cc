#include "gort/tests/anycode/beside.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "absl/time/time.h"
#include "gort/runtime.h"
#include "gort/timer/sleep.h"

namespace anycode {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick{1};

}  // namespace

Beside::Beside(const std::string& what) : what_(what) {
  if (what != "ticker" && what != "procs" && what != "profile") {
    std::fprintf(stderr, "--beside=%s: ticker, procs or profile\n", what.c_str());
    std::exit(2);
  }
  goroutine_.Go([this] {
    while (!stop_.load(std::memory_order_relaxed)) {
      late_us_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(Once()).count());
    }
  });
}

std::chrono::nanoseconds Beside::Once() {
  gort::Sleep(absl::FromChrono(what_ == "ticker" ? std::chrono::milliseconds(0) : 10 * kTick));
  const Clock::time_point start = Clock::now();
  if (what_ == "ticker") {
    gort::Sleep(absl::FromChrono(kTick));
    return Clock::now() - start - kTick;
  }
  if (what_ == "procs") {
    gort::GOMAXPROCS(gort::GOMAXPROCS(0) == 1 ? 2 : 1);
  } else if (gort::Stack(true).empty()) {
    std::abort();
  }
  return Clock::now() - start;
}

void Beside::Stop() {
  stop_.store(true, std::memory_order_relaxed);
  goroutine_.Wait();
  std::vector<int64_t>& late = late_us_;
  std::sort(late.begin(), late.end());
  const size_t n = late.size();
  std::printf("beside=%s n=%zu p50_us=%" PRId64 " p99_us=%" PRId64 " max_us=%" PRId64 "\n",
              what_.c_str(), n, late[n / 2], late[n - 1 - n / 100], late[n - 1]);
}

}  // namespace anycode
