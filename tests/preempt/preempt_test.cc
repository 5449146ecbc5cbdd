// tests/preempt/preempt_test.cc: pre-emption as programs see it.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/tests/support/child.h"

namespace {

using gort::testing::ChildResult;
using gort::testing::RunProgram;

ChildResult RunScenario(const char* name, const std::vector<std::string>& env = {}) {
  ChildResult r = RunProgram("tests/preempt/scenarios", {name}, env);
  EXPECT_EQ(r.status, 0) << r.output;
  return r;
}

// The number after "key=" in text; -1: not there.
int64_t Number(const std::string& text, const std::string& key) {
  size_t at = text.find(key + "=");
  return at == std::string::npos ? -1 : std::atoll(text.c_str() + at + key.size() + 1);
}

#if GORT_TSAN
TEST(Preempt, IsOffUnderThreadSanitizer) {
  EXPECT_EQ(Number(RunScenario("beside").output, "runs"), 0);
}
#else

TEST(Preempt, OthersRunBesideATightLoop) {
  EXPECT_GT(Number(RunScenario("beside").output, "runs"), 2);
}

TEST(Preempt, AsyncpreemptoffTurnsItOff) {
  EXPECT_EQ(Number(RunScenario("beside", {"GODEBUG=asyncpreemptoff=1"}).output, "runs"), 0);
}

TEST(Preempt, AnotherSignalCanBeTaken) {
  EXPECT_GT(Number(RunScenario("beside", {"GODEBUG=preemptsignal=40"}).output, "runs"), 2);
}

TEST(Preempt, TheRateCanBeRaised) {
  EXPECT_GT(Number(RunScenario("beside", {"GODEBUG=preemptrate=1000"}).output, "runs"), 10);
}

TEST(Preempt, SignalsThatAreNotOursReachTheApplicationsHandlerAndOursDoNot) {
  EXPECT_EQ(RunScenario("own_handler", {"OWN_HANDLER=1"}).output,
            "own=1 runs=yes ours=0 foreign=4\n");
}

TEST(Preempt, ACallbackOfTheCLibraryIsInterruptedToo) {
  EXPECT_EQ(RunScenario("qsort").output, "interrupted=1 sorted=1\n");
}

TEST(Preempt, TightLoopsDoNotHoldUpStopTheWorld) {
  std::string out = RunScenario("stw").output;
  EXPECT_EQ(Number(out, "stopped"), 100) << out;
  std::printf("%s", out.c_str());
}

TEST(Preempt, ATracebackShowsTheInterruptedFunction) {
  std::string out = RunScenario("traceback").output;
  EXPECT_NE(out.find("[runnable"), std::string::npos) << out;
  EXPECT_NE(out.find("scenarios::Victim("), std::string::npos) << out;
}

TEST(Preempt, ATracebackGetsTheOnlyPBackFirst) {
  std::string out = RunScenario("traceback_without_p").output;
  EXPECT_NE(out.find("[runnable"), std::string::npos) << out;
  EXPECT_NE(out.find("scenarios::Victim("), std::string::npos) << out;
}

#endif

}  // namespace
