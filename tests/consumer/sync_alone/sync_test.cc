#include "gort/sync/sync.h"

#include <mutex>

#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(SyncAlone, CountsUnderALock) {
  int count = 0;
  gort::Run([&] {
    gort::Mutex mu;
    gort::WaitGroup all;
    for (int i = 0; i < 100; ++i) {
      all.Go([&] {
        std::lock_guard lock(mu);
        ++count;
      });
    }
    all.Wait();
    return 0;
  });
  EXPECT_EQ(count, 100);
}
