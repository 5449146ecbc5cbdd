// What the switches of GODEBUG make a program say, and what is not said of the runtime's own
// goroutines.
#include <gtest/gtest.h>

#include <cstdint>
#include <regex>
#include <string>
#include <vector>

#include "gort/tests/support/child.h"

namespace gort::testing {
namespace {

ChildResult RunScenario(const char* scenario, const std::string& env) {
  return RunProgram("tests/switches/switch_scenarios", {scenario}, {env});
}

size_t Count(const std::string& text, const std::string& word) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size()) ++n;
  return n;
}

// The report of the goroutine whose stack has `function` in it.
std::string ReportOf(const std::string& text, const std::string& function) {
  std::regex block("goroutine [0-9]+ \\[[^\\]]*\\]:\n(?:[^\n]+\n)*");
  for (std::sregex_iterator it(text.begin(), text.end(), block), end; it != end; ++it) {
    const std::string report = it->str();
    if (report.find(function) < report.find("created by")) return report;
  }
  return "";
}

TEST(Tracebackancestors, ShowsTheStacksOfTheCreators) {
  ChildResult r = RunScenario("generations", "GODEBUG=tracebackancestors=10");
  EXPECT_EQ(r.status, 2);
  const std::string report = ReportOf(r.output, "Grandchild");
  std::smatch m;
  // Each generation: which goroutine, its stack from the call of Go, who created it in turn.
  EXPECT_TRUE(std::regex_search(
      report, m,
      std::regex(
          "created by .*Child.* in goroutine ([0-9]+)\n[^\n]*\n"
          "\\[originating from goroutine ([0-9]+)\\]:\n[^\n]*Child[^\n]*\n(?:[^\\[\n]*\n)*"
          "created by .*Generations.*\\(\\)\n[^\n]*\n"
          "\\[originating from goroutine 1\\]:\n[^\n]*Generations[^\n]*\n(?:[^\\[\n]*\n)*$")))
      << report << "\nof\n"
      << r.output;
  if (!m.empty()) {
    EXPECT_EQ(m[1], m[2]);
  }
  EXPECT_EQ(Count(ReportOf(r.output, "Generations"), "originating"), 0u) << r.output;
}

TEST(Tracebackancestors, IsTheNumberOfGenerations) {
  ChildResult one = RunScenario("generations", "GODEBUG=tracebackancestors=1");
  EXPECT_EQ(Count(ReportOf(one.output, "Grandchild"), "originating"), 1u) << one.output;
  EXPECT_EQ(Count(one.output, "originating"), 2u) << one.output;  // Child has an ancestor, too
  ChildResult none = RunScenario("generations", "GODEBUG=tracebackancestors=0");
  EXPECT_EQ(Count(none.output, "originating"), 0u) << none.output;
}

TEST(Tracebackancestors, GoesWithTheGoroutine) {
  ChildResult r = RunScenario("many_generations", "GODEBUG=tracebackancestors=3");
  EXPECT_EQ(r.status, 0) << r.output;
  EXPECT_EQ(r.output, "");
}

TEST(SystemGoroutine, IsNotCountedNorShownNorWaitedFor) {
  ChildResult r = RunScenario("system", "GODEBUG=");
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("goroutines: 1\nshown: 0\ngoroutines: 3\n"), std::string::npos)
      << r.output;
  EXPECT_NE(r.output.find("fatal error: all goroutines are asleep - deadlock!"), std::string::npos)
      << r.output;
  EXPECT_EQ(r.output.find("OfTheRuntime"), std::string::npos) << r.output;
  EXPECT_EQ(Count(r.output, "[chan receive]:"), 3u) << r.output;
}

TEST(Scavtrace, PrintsALineForEachSweepThatGaveMemoryBack) {
  ChildResult r = RunScenario("scavenge", "GODEBUG=scavtrace=1");
  EXPECT_EQ(r.status, 0) << r.output;
  const std::regex line(
      "scav ([0-9]+) KiB work \\(bg\\), [0-9]+ KiB work \\(eager\\), "
      "[0-9]+ KiB stacks, ([0-9]+) KiB total, [0-9]+% util\n");
  int64_t work = 0;
  for (std::sregex_iterator at(r.output.begin(), r.output.end(), line), end; at != end; ++at) {
    work += std::stoll((*at)[1]);
    EXPECT_GE(std::stoll((*at)[2]), work) << r.output;
  }
  EXPECT_GT(work, 32 << 10) << r.output;
  EXPECT_EQ(RunScenario("scavenge", "GODEBUG=scavtrace=0").output, "");
}

TEST(Dying, IsSetForTheReport) {
  ChildResult r = RunScenario("dying", "GODEBUG=");
  EXPECT_EQ(r.status, 2);
  EXPECT_LT(r.output.find("dying before: 0\n"), r.output.find("dying after: 1\n")) << r.output;
  EXPECT_NE(r.output.find("dying after: 1\n"), std::string::npos) << r.output;
}

TEST(Scheddetail, ShowsThreadsThatSleep) {
  ChildResult r = RunScenario("locked_nap", "GODEBUG=schedtrace=5,scheddetail=1");
  EXPECT_EQ(r.status, 0);
  EXPECT_TRUE(std::regex_search(
      r.output, std::regex("  M0: p=nil curg=nil [^\n]* spinning=false blocked=true lockedg=1\n")))
      << r.output;
  // An M that runs does not.
  EXPECT_TRUE(std::regex_search(r.output, std::regex(" blocked=false "))) << r.output;
}

TEST(Inittrace, EndsWithTheSum) {
  ChildResult r = RunScenario("many_generations", "GODEBUG=inittrace=1");
  std::smatch m;
  ASSERT_TRUE(std::regex_search(r.output, m, std::regex("\ninit total @0 us, ([0-9]+) ns\n$")))
      << r.output;
  // The last step begins within it.
  std::smatch last;
  ASSERT_TRUE(std::regex_search(r.output, last, std::regex("\ninit sysmon @([0-9]+) us, ")));
  EXPECT_GE(std::stoll(m[1]), 1000 * std::stoll(last[1]));
}

}  // namespace
}  // namespace gort::testing
