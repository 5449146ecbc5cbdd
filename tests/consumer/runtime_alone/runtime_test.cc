#include "gort/runtime.h"

#include <atomic>

#include "gtest/gtest.h"

TEST(RuntimeAlone, RunsGoroutines) {
  std::atomic<int> done = 0;
  int result = gort::Run([&] {
    EXPECT_NE(gort::Goid(), 0u);
    for (int i = 0; i < 100; ++i) gort::Go([&done](int n) { done += n; }, 2);
    while (done != 200) gort::Gosched();
    return gort::GOMAXPROCS(0);
  });
  EXPECT_GE(result, 1);
  EXPECT_EQ(done, 200);
  EXPECT_EQ(gort::Goid(), 0u);
}

TEST(RuntimeAlone, RunsAgain) {
  EXPECT_EQ(gort::Run([] { return 1; }), 1);
  EXPECT_EQ(gort::Run([] { return 2; }), 2);
}
