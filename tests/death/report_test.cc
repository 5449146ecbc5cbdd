// What a gort program says when it ends, and its status. Faults, overflows and SIGQUIT: crash_test.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/testing/child.h"

namespace gort::testing {
namespace {

struct Ending {
  const char* scenario;
  int status;
  // Regular expressions; each must match one whole line of the output, in this order. Lines between
  // are tracebacks.
  std::vector<std::string> lines;
  // When true, these lines are all there is.
  bool exactly = false;
};

constexpr char kDeadlock[] = "fatal error: all goroutines are asleep - deadlock!";
constexpr char kMainRunning[] = "goroutine 1 \\[running\\]:";

const Ending kEndings[] = {
    {"deadlock",
     2,
     {kDeadlock, "", "goroutine 1 \\[chan receive\\]:", "",
      "goroutine [0-9]+ \\[chan send\\]:", ".*", ".*", "created by .* in goroutine 1"}},
    {"deadlock_nil", 2, {kDeadlock, "", "goroutine 1 \\[chan receive \\(nil chan\\)\\]:"}},
    {"deadlock_select", 2, {kDeadlock, "", "goroutine 1 \\[select \\(no cases\\)\\]:"}},
    {"deadlock_locked", 2, {kDeadlock, "", "goroutine 1 \\[chan receive, locked to thread\\]:"}},
    {"main_goexit",
     2,
     {"~main's frame", "the others go on",
      "fatal error: no goroutines \\(main called runtime.Goexit\\) - deadlock!"}},
    {"panic_std", 2, {"panic: boom", "", "goroutine [0-9]+ \\[running\\]:"}},
    {"panic_int", 2, {"panic: exception of type int", "", kMainRunning}},
    {"panic_closed_channel", 2, {"panic: send on closed channel", "", kMainRunning}},
    {"null_function", 2, {"fatal error: go of nil func value", "", kMainRunning}},
    {"throw", 2, {"fatal error: a broken invariant", "", kMainRunning}},
    {"goexit_deep",
     0,
     {"~frame", "~frame", "~frame", "caught, not rethrown", "main goes on"},
     true},
    {"foreign_goexit", 2, {"fatal error: Goexit called from a thread that is not a goroutine"}},
    {"foreign_throw", 134, {}},
    {"late_thread", 0, {"received 42"}, true},
    {"thread_that_never_calls", 2, {kDeadlock, "", "goroutine 1 \\[chan receive\\]:"}},
    {"thread_that_called_and_ended", 2, {kDeadlock, "", "goroutine 1 \\[chan receive\\]:"}},
    {"exit_status", 7, {}, true},
    {"ok", 0, {}, true},
};

class Report : public ::testing::TestWithParam<Ending> {};

TEST_P(Report, SaysWhatHappenedAndEndsWithItsStatus) {
  const Ending& want = GetParam();
  ChildResult r = RunChild("tests/death/report_scenarios", {want.scenario});
  EXPECT_EQ(r.status, want.status) << r.output;
  std::istringstream text(r.output);
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  size_t at = 0;
  for (const std::string& pattern : want.lines) {
    std::regex re(pattern);
    while (at < lines.size() && !std::regex_match(lines[at], re)) ++at;
    EXPECT_LT(at, lines.size()) << "no line \"" << pattern << "\" in:\n" << r.output;
    ++at;
  }
  if (want.exactly) {
    EXPECT_EQ(lines.size(), want.lines.size()) << r.output;
  }
  // The scheduler's own stack is no part of a report of the program's fault.
  if (want.status == 2 && want.scenario[0] == 'd') {
    EXPECT_EQ(r.output.find("runtime stack"), std::string::npos) << r.output;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Report, ::testing::ValuesIn(kEndings),
                         [](const auto& info) { return std::string(info.param.scenario); });

}  // namespace
}  // namespace gort::testing
