#include "gort/local/local.h"

#include "gort/runtime.h"
#include "gtest/gtest.h"

static gort::Local<int> counter;

TEST(LocalAlone, IsEachGoroutinesOwn) {
  *counter = 1;
  const int in_goroutine = gort::Run([] { return ++*counter; });
  EXPECT_EQ(in_goroutine, 1);
  EXPECT_EQ(*counter, 1);
}
