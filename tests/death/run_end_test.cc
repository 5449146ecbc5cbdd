// How programs end that have an ordinary main and threads of their own.
#include <gtest/gtest.h>

#include <string>

#include "gort/tests/support/child.h"

namespace gort::testing {
namespace {

constexpr char kDeadlock[] = "fatal error: all goroutines are asleep - deadlock!";

ChildResult RunScenario(const std::string& name) {
  return RunProgram("tests/death/run_scenarios", {name});
}

void ExpectDeadlock(const std::string& scenario) {
  const ChildResult r = RunScenario(scenario);
  EXPECT_EQ(r.status, 2) << r.output;
  EXPECT_NE(r.output.find(kDeadlock), std::string::npos) << r.output;
}

TEST(RunEnd, ADeadlockInTheSecondRunIsReported) {
  // main blocks before the caller of Run waits.
  for (int i = 0; i < 30; ++i) ExpectDeadlock("deadlock_in_the_second_run");
}

TEST(RunEnd, AThreadThatComesBackFromRunMayWakeOthers) {
  const ChildResult r = RunScenario("run_ends_beside_another");
  EXPECT_EQ(r.status, 7) << r.output;
}

TEST(RunEnd, AThreadThatHasNotCalledYetKeepsTheReportOfMainsGoexitBack) {
  const ChildResult r = RunScenario("goexit_beside_a_thread");
  EXPECT_EQ(r.status, 7) << r.output;
}

TEST(RunEnd, AThreadIsGoneAfterCallsFromItsDestructors) {
  ExpectDeadlock("deadlock_after_a_late_call");
}

TEST(RunEnd, TheFirstMsEndHidesNoDeadlock) { ExpectDeadlock("deadlock_without_the_first_m"); }

TEST(RunEnd, GoroutinesFromBeforeRunDoNotKeepMainFromStarting) {
  for (const char* name : {"busy_before_run", "blocked_before_run"}) {
    const ChildResult r = RunScenario(name);
    EXPECT_EQ(r.status, 7) << name << '\n' << r.output;
  }
}

TEST(RunEnd, ToBlockBeforeRunOnTheOnlyThreadIsReported) {
  ChildResult r = RunScenario("recv_before_run");
  EXPECT_EQ(r.status, 2) << r.output;
  EXPECT_NE(r.output.find("fatal error: blocked before gort::Run: "), std::string::npos)
      << r.output;
  r = RunScenario("recv_beside_a_thread");
  EXPECT_EQ(r.status, 7) << r.output;
}

TEST(RunEnd, ThreadsOfRunHaveTheProgramsName) {
  const ChildResult r = RunScenario("thread_names");
  EXPECT_EQ(r.status, 7) << r.output;
}

}  // namespace
}  // namespace gort::testing
