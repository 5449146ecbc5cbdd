// Sleeping without channels.
#include "gort/timer/sleep.h"

#include <chrono>

#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(SleepAlone, Sleeps) {
  const auto begin = std::chrono::steady_clock::now();
  gort::Run([] {
    gort::Sleep(absl::Milliseconds(5));
    return 0;
  });
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(5));
}
