#include "gort/timer/timer.h"

#include <chrono>

#include "gort/runtime.h"
#include "gort/timer/timer_scope.h"
#include "gtest/gtest.h"

TEST(TimerAlone, Fires) {
  const auto begin = std::chrono::steady_clock::now();
  gort::Run([] {
    gort::Timer timer = gort::NewTimer(absl::Milliseconds(5));
    timer.C().Recv();
    return 0;
  });
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(5));
}

TEST(TimerAlone, ScopesEndTheirTimers) {
  gort::Run([] {
    bool ran = false;
    {
      gort::TickerScope ticker(std::chrono::milliseconds(1));
      ticker.C().Recv();
      gort::AfterFuncScope never(absl::Hours(1), [&] { ran = true; });
    }
    EXPECT_FALSE(ran);
    return 0;
  });
}
