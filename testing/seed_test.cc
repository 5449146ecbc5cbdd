// GODEBUG=schedseed=N: the same schedule in every process, and another for another N.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "gort/tests/support/child.h"

namespace gort {
namespace {

std::string Trace(int seed) {
  testing::ChildResult r = testing::RunProgram(
      "testing/schedule_trace", {}, {"GOMAXPROCS=1", "GODEBUG=schedseed=" + std::to_string(seed)});
  EXPECT_EQ(r.status, 0) << r.output;
  return r.output;
}

TEST(SchedSeedTest, RepeatsSchedulesAndExploresOthers) {
  std::set<std::string> seen;
  for (int seed = 1; seed <= 8; ++seed) {
    const std::string first = Trace(seed);
    EXPECT_EQ(first.size(), 8u * 20 + 1) << first;
    EXPECT_EQ(first, Trace(seed)) << "seed " << seed;
    seen.insert(first);
  }
  EXPECT_GT(seen.size(), 4u);
}

}  // namespace
}  // namespace gort
