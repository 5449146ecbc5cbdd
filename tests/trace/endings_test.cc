// A trace is written however the program ends.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/tests/support/child.h"
#include "gort/trace/testing/decoded.h"

namespace gort::testing {
namespace {

struct Ending {
  int status;
  DecodedTrace trace;
  std::string output;
};

Ending TraceOf(const std::string& scenario, const std::string& variable) {
  const std::string path =
      ::testing::TempDir() + "/" + scenario + "." + std::to_string(getpid()) + ".trace";
  const ChildResult r = RunProgram("tests/trace/scenarios", {scenario}, {variable + path});
  Ending e{r.status, DecodeTraceFile(path), r.output};
  unlink(path.c_str());
  return e;
}

class FromTheEnvironment : public ::testing::TestWithParam<std::pair<const char*, int>> {};

TEST_P(FromTheEnvironment, IsWrittenToTheEnd) {
  const auto [scenario, status] = GetParam();
  const Ending e = TraceOf(scenario, "GODEBUG=trace=");
  EXPECT_EQ(e.status, status) << e.output;
  ASSERT_EQ(Inconsistency(e.trace), "") << e.output;
  EXPECT_EQ(e.trace.Named("closed").size(), 1u);
  EXPECT_EQ(e.trace.Named("receiving").size(), 1u);
  EXPECT_EQ(e.trace.On("the whole").size(), e.status == 0 ? 2u : e.trace.On("the whole").size());
  EXPECT_FALSE(e.trace.Named("receiver").empty());
}

std::vector<std::pair<const char*, int>> Ends() {
  std::vector<std::pair<const char*, int>> all = {
      {"everything", 0}, {"exits", 7}, {"panics", 2}, {"deadlocks", 2}};
  // ThreadSanitizer lets no child live that has been forked beside other threads.
  if (!GORT_TSAN) all.emplace_back("forks", 0);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Trace, FromTheEnvironment, ::testing::ValuesIn(Ends()));

class Recorded : public ::testing::TestWithParam<const char*> {};

TEST_P(Recorded, TellsWhatCameLastAndNotWhatCameFirst) {
  const Ending e = TraceOf(GetParam(), "TRACE_FILE=");
  EXPECT_NE(e.status, 0);
  ASSERT_EQ(Inconsistency(e.trace), "") << e.output;
  EXPECT_EQ(e.trace.Named("the last thing").size(), 1u);
  EXPECT_TRUE(e.trace.Named("long ago").empty());
}

// Sanitizers report faults themselves.
std::vector<const char*> Deaths() {
  std::vector<const char*> all = {"recorded_deadlock", "recorded_panic"};
  if (!GORT_ASAN && !GORT_TSAN) {
    all.push_back("recorded_fault");
    all.push_back("recorded_abort");
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Trace, Recorded, ::testing::ValuesIn(Deaths()));

TEST(Endings, AGoodEndLeavesNoFileOfTheRecorder) {
  const Ending e = TraceOf("recorded_end", "TRACE_FILE=");
  EXPECT_EQ(e.status, 0) << e.output;
  EXPECT_NE(e.trace.error, "");
}

TEST(Endings, AForkedChildThatDiesLeavesTheRecordersFileAlone) {
  // ThreadSanitizer lets no child live that has been forked beside other threads.
  if (GORT_TSAN) GTEST_SKIP();
  const Ending e = TraceOf("recorded_child", "TRACE_FILE=");
  EXPECT_EQ(e.status, 0) << e.output;
  EXPECT_NE(e.trace.error, "");
}

TEST(Endings, AFileThatCannotBeMadeIsReportedAndTheProgramRuns) {
  const ChildResult r =
      RunProgram("tests/trace/scenarios", {"everything"}, {"GODEBUG=trace=/nowhere/x"});
  EXPECT_EQ(r.status, 0);
  EXPECT_EQ(r.output, "gort: GODEBUG: trace=/nowhere/x: No such file or directory\n");
}

}  // namespace
}  // namespace gort::testing
