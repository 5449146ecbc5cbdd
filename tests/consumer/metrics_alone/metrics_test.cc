// Metrics of a program that uses nothing else.
#include "gort/metrics/metrics.h"

#include <string>

#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(MetricsAlone, SaysThatOneGoroutineRuns) {
  gort::Run([] {
    EXPECT_EQ(gort::metrics::Value(gort::metrics::Read(), "gort_goroutines", "running"), 1);
    EXPECT_NE(gort::metrics::Prometheus().find("gort_gomaxprocs "), std::string::npos);
    return 0;
  });
}
