#include "gort/testing/testing.h"

#include <atomic>

#include "gort/runtime.h"
#include "gort/timer/sleep.h"
#include "gtest/gtest.h"

// Ten hours in no time.
TEST(TestingAlone, TimeOfItsOwn) {
  std::atomic<int> hours = 0;
  gort::testing::Run([&] {
    gort::Go([&] {
      for (int i = 0; i < 10; ++i) {
        gort::Sleep(absl::Hours(1));
        ++hours;
      }
    });
    gort::Sleep(absl::Hours(3) + absl::Minutes(1));
    EXPECT_EQ(hours, 3);
    gort::Sleep(absl::Hours(7));
    EXPECT_EQ(hours, 10);
  });
}
