// The search for leaked goroutines in a program that uses nothing else.
#include "gort/leak/leak.h"

#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(LeakAlone, FindsNothingInAProgramThatWaitsForNothing) {
  gort::Run([] {
    EXPECT_TRUE(gort::leak::Find().leaked.empty());
    return 0;
  });
}
