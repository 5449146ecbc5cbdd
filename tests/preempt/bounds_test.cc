// tests/preempt/bounds_test.cc: programs in which goroutines that were cut off are in each other's way
// come to their end.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/tests/support/child.h"

namespace {

using gort::testing::ChildResult;
using gort::testing::RunProgram;

std::string RunBounds(const char* name, const std::vector<std::string>& env = {}) {
  const ChildResult r = RunProgram("tests/preempt/bounds", {name}, env);
  EXPECT_EQ(r.status, 0) << r.output;
  return r.output;
}

// The number after "key=" in text; -1: not there.
int64_t Number(const std::string& text, const std::string& key) {
  const size_t at = text.find(key + "=");
  return at == std::string::npos ? -1 : std::atoll(text.c_str() + at + key.size() + 1);
}

class Bounds : public ::testing::Test {
 protected:
  void SetUp() override {
    if (GORT_TSAN) GTEST_SKIP() << "no pre-emption under ThreadSanitizer";
  }
};

TEST_F(Bounds, SpinningOnWhatAWaiterHoldsEndsWhenNoMoreMayWait) {
  const std::string out = RunBounds("exchange");
  EXPECT_EQ(Number(out, "done"), 20) << out;
  EXPECT_GT(Number(out, "exchanged"), 0) << out;
}

TEST_F(Bounds, AFrozenGoroutineIsWaitedForWithoutHoldingUpWhoEndsThat) {
  EXPECT_EQ(RunBounds("frozen"), "done=2\n");
}

// Without signals they give way in their calls alone.
TEST_F(Bounds, CallsThatDoNotParkGiveWayOnTheirThread) {
  const std::string out = RunBounds("polling", {"GODEBUG=asyncpreemptoff=1"});
  EXPECT_EQ(Number(out, "failed"), 0) << out;
  EXPECT_GE(Number(out, "turns"), 20) << out;
}

void ExpectSleepersLoseTheirPWithoutASignal(const std::string& out) {
  EXPECT_EQ(Number(out, "failed"), 0) << out;
  // Of ten: on a busy machine the slice may end before the monitor has seen the thread asleep twice.
  EXPECT_LE(Number(out, "signals"), 3) << out;
  // With the P kept there would be one for each of the ten sleeps.
  EXPECT_GT(Number(out, "turns"), 20) << out;
}

TEST_F(Bounds, SleepersLoseTheirPWithoutASignal) {
  ExpectSleepersLoseTheirPWithoutASignal(RunBounds("sleepers"));
}

TEST_F(Bounds, SleepersLoseTheirPWithoutASignalAndWithoutMembarrier) {
  const std::string out = RunBounds("sleepers", {"NO_MEMBARRIER=1"});
  if (Number(out, "refused") != 1) GTEST_SKIP() << "no seccomp(2) here";
  ExpectSleepersLoseTheirPWithoutASignal(out);
}

}  // namespace
