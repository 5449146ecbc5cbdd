// What a gort program says when it ends, and its status. Faults, overflows and SIGQUIT: crash_test.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "gort/tests/support/child.h"

namespace gort::testing {
namespace {

struct Ending {
  const char* scenario;
  int status;
  // Regular expressions; each must match one whole line of the output, in this order. Lines between
  // are tracebacks.
  std::vector<std::string> lines;
  // True: there are no other lines.
  bool exactly = false;
  std::vector<std::string> env = {};
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
    {"park_in_blocking", 2, {"fatal error: goroutine parked inside Blocking"}},
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
  ChildResult r = RunProgram("tests/death/report_scenarios", {want.scenario}, want.env);
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

// A program that prints nothing by itself prints what the environment asks for.
const Ending kSettings[] = {
    {"nap",
     0,
     {"SCHED [0-9]+ms: gomaxprocs=3 idleprocs=[0-3] threads=[0-9]+ spinningthreads=[0-9]+ "
      "needspinning=[01] idlethreads=[0-9]+ runqueue=[0-9]+ \\[[0-9]+ [0-9]+ [0-9]+\\] exchanged=0",
      "SCHED [1-9][0-9]+ms: gomaxprocs=3 .*"},
     false,
     {"GODEBUG=schedtrace=20", "GOMAXPROCS=3"}},
    {"nap",
     0,
     {"SCHED [0-9]+ms: .* gcwaiting=false nmidlelocked=0 stopwait=0 sysmonwait=(true|false) "
      "exchanged=0",
      "  P0: status=[0-4] schedtick=[0-9]+ syscalltick=[0-9]+ m=(nil|[0-9]+) runqsize=[0-9]+ "
      "gfreecnt=[0-9]+ timerslen=[0-9]+",
      "  M[0-9]+: p=(nil|[0-9]+) curg=(nil|[0-9]+) mallocing=0 throwing=0 preemptoff= "
      "locks=[0-9]+ dying=0 spinning=(true|false) blocked=(true|false) lockedg=(nil|[0-9]+)",
      "  G1: status=[0-9]+\\(.*\\) m=(nil|[0-9]+) lockedm=(nil|[0-9]+)"},
     false,
     {"GODEBUG=schedtrace=20,scheddetail=1", "GOMAXPROCS=3"}},
    {"ok",
     0,
     {"gort: GOMAXPROCS: ignoring \"banana\": want an integer from 1 to 1024"},
     true,
     {"GOMAXPROCS=banana"}},
    {"ok",
     0,
     {"gort: GOMAXPROCS: ignoring \"-1\": want an integer from 1 to 1024"},
     true,
     {"GOMAXPROCS=-1"}},
    {"ok",
     0,
     {"gort: GOMAXPROCS: 99999 is more than the limit; using 1024"},
     true,
     {"GOMAXPROCS=99999"}},
    {"ok", 0, {"gort: GODEBUG: .*schedtrace.*banana.*"}, true, {"GODEBUG=schedtrace=banana"}},
    {"ok", 0, {}, true, {"GODEBUG=nosuchkey=1,another"}},
};

INSTANTIATE_TEST_SUITE_P(Environment, Report, ::testing::ValuesIn(kSettings));

}  // namespace
}  // namespace gort::testing
