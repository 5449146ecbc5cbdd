// A trace is written however the program ends.
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/tests/support/child.h"
#include "gort/trace/internal/stall.h"
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
  // ThreadSanitizer lets no child live that has been forked beside other threads, and at the child's
  // exit LeakSanitizer asks for locks that these may have held.
  if (!GORT_TSAN && !GORT_ASAN) all.emplace_back("forks", 0);
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
  std::vector<const char*> all = {"recorded_deadlock", "recorded_panic", "dies_in_write_to"};
  if (!GORT_ASAN && !GORT_TSAN) {
    all.push_back("recorded_fault");
    all.push_back("recorded_abort");
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Trace, Recorded, ::testing::ValuesIn(Deaths()));

class Complete : public ::testing::TestWithParam<std::pair<const char*, int>> {};

TEST_P(Complete, WhateverTheProgramWasAt) {
  const auto [scenario, status] = GetParam();
  const Ending e = TraceOf(scenario, "TRACE_FILE=");
  EXPECT_EQ(e.status, status) << e.output;
  ASSERT_EQ(Inconsistency(e.trace), "") << e.output;
  EXPECT_EQ(e.trace.Named("closed").size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Trace, Complete,
                         ::testing::Values(std::pair("exits_without_stop", 7),
                                           std::pair("dies_in_stop", 2)));

// Who stalls has a turn that only the trace ends, and who waits for it waits.
TEST(Endings, ARecorderTellsOfAStall) {
  // ThreadSanitizer lets no signal interrupt who computes.
  if (GORT_TSAN) GTEST_SKIP();
  const Ending e = TraceOf("stalls", "TRACE_FILE=");
  EXPECT_EQ(e.status, 9) << e.output;
  ASSERT_EQ(Inconsistency(e.trace), "") << e.output;
  EXPECT_EQ(e.trace.Named("the last thing").size(), 1u);
  std::map<std::string, std::string> at;  // whose turn, by track
  int64_t stood_in_line = 0, ran_last = 0;
  for (const TraceItem& i : e.trace.items) {
    if (i.type == TraceItem::kBegin) at[i.track] = i.name;
    if (i.type != TraceItem::kEnd || i.note("why").empty()) continue;
    stood_in_line += at[i.track] == "waiter" && i.note("why") == "sync.Mutex.Lock";
    ran_last += at[i.track] == "hog";
  }
  EXPECT_GE(stood_in_line, 3);
  EXPECT_GE(ran_last, 1);
}

TEST(Endings, ARecorderWritesOfAStallByItself) {
  const std::string path = ::testing::TempDir() + "/stands." + std::to_string(getpid()) + ".trace";
  unlink(path.c_str());
  const ChildResult r = RunProgram("tests/trace/scenarios", {"stands"},
                                   {"GODEBUG=asyncpreemptoff=1", "TRACE_FILE=" + path});
  EXPECT_EQ(r.status, 9) << r.output;
  EXPECT_EQ(r.output.rfind("gort: stall: goroutines wait", 0), 0u) << r.output;
  EXPECT_NE(r.output.find("; its trace is " + path + "\n"), std::string::npos) << r.output;
  const DecodedTrace trace = DecodeTraceFile(path);
  unlink(path.c_str());
  ASSERT_EQ(Inconsistency(trace), "");
  EXPECT_EQ(trace.Named("the last thing").size(), 1u);
  EXPECT_EQ(trace.Named("hog").size(), 1u);
}

// A program of one P, made by hand: this process has no runtime.
class StallTest : public ::testing::Test {
 protected:
  StallTest() {
    rt::allp[0].store(&p_);
    rt::gomaxprocs.store(1);
  }
  ~StallTest() override {
    rt::gomaxprocs.store(0);
    rt::allp[0].store(nullptr);
    rt::sched.runqsize.store(0);
    rt::sched.gcwaiting.store(false);
  }
  void Turn() { p_.schedtick.fetch_add(1); }
  void Queue(uint32_t n) { p_.runq.tail.store(p_.runq.head.load() + n); }
  // The answer of one look in eight, with `between` before each.
  template <class F>
  const char* Look(F between) {
    const char* said = nullptr;
    for (int i = 0; i < rt::StallWatch::kLooks && said == nullptr; ++i) {
      between();
      said = watch_.Look();
    }
    return said;
  }
  const char* Look() {
    return Look([] {});
  }

  rt::P p_;
  rt::StallWatch watch_;
};

TEST_F(StallTest, NothingToDoIsNoStall) {
  EXPECT_EQ(Look(), nullptr);
  EXPECT_EQ(Look(), nullptr);
}

TEST_F(StallTest, AQueueOfWhichNoneLeavesIsOne) {
  Queue(2);
  EXPECT_EQ(Look([this] { Turn(); }), nullptr);
  EXPECT_EQ(Look([this] { p_.runq.head.fetch_add(1), Queue(2); }), nullptr) << "stolen from";
  EXPECT_STREQ(Look(), "goroutines wait for a P that begins no turn");
  watch_.Reset();
  EXPECT_EQ(Look([this] { Turn(); }), nullptr);
}

TEST_F(StallTest, AGlobalQueueBesideNoTurnIsOne) {
  rt::sched.runqsize.store(3);
  EXPECT_EQ(Look([this] { Turn(); }), nullptr);
  EXPECT_STREQ(Look(), "goroutines wait, and no P begins a turn");
}

TEST_F(StallTest, AStopThatDoesNotEndIsOne) {
  rt::sched.gcwaiting.store(true);
  EXPECT_EQ(Look([] { rt::sched.stops.fetch_add(1); }), nullptr) << "one after the other";
  EXPECT_STREQ(Look(), "the world is to stop, and does not");
}

TEST(Endings, AChildIsBornWithoutTheRecordingsLocks) {
  // ThreadSanitizer lets no child live that has been forked beside other threads.
  if (GORT_TSAN) GTEST_SKIP();
  const ChildResult r = RunProgram("tests/trace/scenarios", {"forks_busily"}, {});
  EXPECT_EQ(r.status, 0) << r.output;
}

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
