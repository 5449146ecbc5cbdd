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

TEST(SyncAlone, ResultsComeOutWhereOneWaits) {
  gort::Run([] {
    gort::Future<int> sum = gort::Spawn([](int a, int b) { return a + b; }, 2, 3);
    EXPECT_EQ(sum.Get(), 5);
    gort::TaskGroup group;
    group.Go([](const gort::Context& ctx) {
      ctx.Done().Recv();
      return ctx.Err();
    });
    group.Go([] { return absl::NotFoundError("first"); });
    EXPECT_EQ(group.Wait(), absl::NotFoundError("first"));
    gort::Mutex mu;
    EXPECT_FALSE(mu.Lock(group.context()).ok());
    return 0;
  });
}
