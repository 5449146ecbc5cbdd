// How gort programs end on stack overflows, faults and SIGQUIT, seen from outside.
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "gort/base/attributes.h"
#include "gort/platforms/mem.h"
#include "gort/stack/internal/stack_layout.h"
#include "gort/tests/support/child.h"
#include "gort/tests/support/process.h"

namespace gort::testing {
namespace {

// A sanitizer's own handler would report faults that are not overflows; here ours is wanted.
const char* const kEnv[] = {"ASAN_OPTIONS=handle_segv=0:detect_stack_use_after_return=0",
                            "TSAN_OPTIONS=handle_segv=0"};

ChildResult RunScenario(const std::string& scenario, const std::string& godebug = "") {
  return RunProgram("tests/death/crash_scenarios", {scenario},
                    {kEnv[0], kEnv[1], "GODEBUG=" + godebug});
}

size_t Count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

void ExpectHas(const std::string& text, const std::string& what) {
  EXPECT_NE(text.find(what), std::string::npos) << "no \"" << what << "\" in:\n" << text;
}

void ExpectOverflow(const ChildResult& r, size_t limit) {
  EXPECT_EQ(r.status, 2) << r.output;
  ExpectHas(r.output,
            "runtime: goroutine stack exceeds " + std::to_string(limit) + "-byte limit\n");
  ExpectHas(r.output, "\nfatal error: stack overflow\n\ngoroutine ");
  ExpectHas(r.output, " [running]:\n");
  ExpectHas(r.output, "Overflow(...)\n\t");
  ExpectHas(r.output, " frames elided)...\n");
  EXPECT_EQ(Count(r.output, "goexit"), 0u) << r.output;
}

TEST(Crash, OverflowOfAGoroutine) { ExpectOverflow(RunScenario("overflow"), rt::kDefaultStack); }
TEST(Crash, OverflowOfTheMainGoroutine) {
  ExpectOverflow(RunScenario("overflow-main"),
                 rt::StackReservation(rt::kMainStack, rt::PageSize()));
}
TEST(Crash, OverflowWithMprotectGuards) {
  ExpectOverflow(RunScenario("overflow", "stackguard=1"), rt::kDefaultStack);
}
// What a frame of any size leaves of the report: words that do not depend on the frames' number.
void ExpectLargeOverflow(const ChildResult& r, const char* function) {
  EXPECT_EQ(r.status, 2) << r.output;
  ExpectHas(r.output, "-byte limit\n");
  ExpectHas(r.output, "\nfatal error: stack overflow\n\ngoroutine ");
  ExpectHas(r.output, std::string(function) + "(...)\n\t");
}

TEST(Crash, AFrameLargerThanTheStackIsTouchedOnTheWay) {
  if (GORT_ASAN || GORT_TSAN) GTEST_SKIP() << "frames of sanitizers' builds are not touched";
  ExpectLargeOverflow(RunScenario("overflow-probed"), "IntoTheNeighbour");
}
TEST(Crash, OverflowByFramesThatStepOverTheGuard) {
  ExpectLargeOverflow(RunScenario("overflow-unprobed"), "UnprobedRecursion");
  ExpectLargeOverflow(RunScenario("overflow-unprobed-main"), "UnprobedRecursion");
}
TEST(Crash, RunawayRecursionThroughCanariesIsReported) {
  ExpectOverflow(RunScenario("overflow-crowd", "stackguard=2"), rt::kDefaultStack);
}
TEST(Crash, RunawayRecursionWithLargeFramesIsReported) {
  for (const char* stack : {" 20", " 180"}) {
    for (const char* frame : {" 4", " 16", " 64"}) {
      for (const char* how : {"runaway probed", "runaway unprobed"}) {
        for (const char* guard : {"stackguard=0", "stackguard=1", "stackguard=2"}) {
          const std::string scenario = std::string(how) + frame + stack;
          SCOPED_TRACE(scenario + ' ' + guard);
          const ChildResult r = RunScenario(scenario, guard);
          EXPECT_EQ(r.status, 2) << r.output;
          ExpectHas(r.output, "-byte limit\n");
          ExpectHas(r.output, "\nfatal error: stack overflow\n\ngoroutine ");
        }
      }
    }
  }
}
TEST(Crash, OverflowIntoACanaryIsSeenAtTheNextSwitch) {
  ChildResult r = RunScenario("overflow-unnoticed", "stackguard=2");
  EXPECT_EQ(r.status, 2) << r.output;
  ExpectHas(r.output, "-byte limit\n");
  ExpectHas(r.output, "\nfatal error: stack overflow\n\ngoroutine ");
}

void ExpectFault(const ChildResult& r) {
  EXPECT_EQ(r.status, 2) << r.output;
  ExpectHas(r.output,
            "panic: runtime error: invalid memory address or nil pointer dereference\n"
            "[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x");
  ExpectHas(r.output, "]\n\ngoroutine ");
  ExpectHas(r.output, "Fault(...)\n\t");
}

TEST(Crash, FaultOfAGoroutine) {
  ChildResult r = RunScenario("fault");
  ExpectFault(r);
  ExpectHas(r.output, "created by ");
  ExpectHas(r.output, " in goroutine 1\n\t");
}
TEST(Crash, FaultOfTheMainGoroutine) {
  ChildResult r = RunScenario("fault-main");
  ExpectFault(r);
  ExpectHas(r.output, "\ngoroutine 1 [running]:\n");
}
TEST(Crash, FaultBelowTheCLibrary) {
  ChildResult r = RunScenario("nested-handler");
  ExpectFault(r);
  ExpectHas(r.output, "qsort");
  ExpectHas(r.output, "created by ");
}

TEST(Crash, FaultElsewhereNamesTheAddress) {
  if (GORT_TSAN) GTEST_SKIP() << "tsan ends the process, because it has no record of the address";
  ChildResult r = RunScenario("fault-far");
  EXPECT_EQ(r.status, 2) << r.output;
  // AddressSanitizer looks at its own record of the address first, and faults there.
  ExpectHas(r.output, GORT_ASAN ? "unexpected fault address 0x"
                                : "unexpected fault address 0x10000000000\nfatal error: fault\n");
  ExpectHas(r.output, "\nfatal error: fault\n[signal SIGSEGV: segmentation violation code=0x");
}

// The kernel puts the fault's frame over the handler's, so the walk of the stack comes round.
TEST(Crash, AHandlerThatOverflowsItsSignalStackIsReportedAtOnce) {
  if (GORT_TSAN) GTEST_SKIP() << "tsan calls handlers later, on the goroutine's stack";
  ChildResult r = RunScenario("handler-overflow");
  EXPECT_EQ(r.status, 2) << r.output;
  ExpectHas(r.output, "LargeHandler(...)\n\t");
  EXPECT_LE(Count(r.output, "LargeHandler(...)\n"), 3u) << r.output;
}

TEST(Crash, AbortShowsTheGoroutineAndDiesOfItsSignal) {
  ChildResult r = RunScenario("abort");
  EXPECT_EQ(r.status, 128 + SIGABRT) << r.output;
  ExpectHas(r.output, "fatal error: abort\n[signal SIGABRT: abort code=");
  ExpectHas(r.output, "Abort(...)\n\t");
  ExpectHas(r.output, "Run() in goroutine 1\n");
}

// Its thread would take the P along, and the program would stand still.
TEST(Crash, AGoroutineThatEndsItsThreadIsReported) {
  if (GORT_ASAN || GORT_TSAN)
    GTEST_SKIP() << "a sanitizer ends the process: frames have not returned";
  ChildResult r = RunScenario("pthread-exit");
  EXPECT_EQ(r.status, 2) << r.output;
  ExpectHas(r.output, "fatal error: a goroutine ended its thread (pthread_exit");
}

TEST(Crash, AskedForACoreTheProcessDiesOfASignalAfterItsReport) {
  for (const char* scenario : {"fault", "overflow", "fatal-running"}) {
    ChildResult r = RunProgram("tests/death/crash_scenarios", {scenario},
                               {kEnv[0], kEnv[1], "GOTRACEBACK=crash"});
    EXPECT_EQ(r.status, 128 + SIGABRT) << r.output;
    ExpectHas(r.output, "]:\n");
  }
}

TEST(Crash, QuitDumpsAllGoroutines) {
  ChildResult r = RunScenario("quit");
  EXPECT_EQ(r.status, 2) << r.output;
  ExpectHas(r.output, "SIGQUIT: quit\nPC=0x");
  EXPECT_EQ(Count(r.output, "goroutine 1 [running]:\n"), 1u) << r.output;
  EXPECT_EQ(Count(r.output, " [chan receive]:\n"), 3u) << r.output;
  EXPECT_EQ(Count(r.output, "ParkForEver(...)\n"), 3u) << r.output;
}

TEST(Crash, GoroutinesUseMostOfScarceAddresses) {
  if (GORT_ASAN || GORT_TSAN) GTEST_SKIP() << "a sanitizer takes terabytes of addresses";
  if (Emulated()) GTEST_SKIP() << "the limit would be the emulator's";
  const ChildResult r = RunScenario("scarce");
  EXPECT_EQ(r.status, 0) << r.output;
}

// ThreadSanitizer keeps signals back from threads that make no call.
void ExpectRunningStacks(const ChildResult& r) {
  EXPECT_EQ(r.status, 2) << r.output;
  if (GORT_TSAN) return;
  EXPECT_EQ(Count(r.output, "stack unavailable"), 0u) << r.output;
  EXPECT_EQ(Count(r.output, "Spin(...)\n"), 2u) << r.output;
  EXPECT_EQ(Count(r.output, "pause(...)\n"), 1u) << r.output;
}

TEST(Crash, ReportsShowWhatRunsOnOtherThreads) {
  for (const char* godebug : {"", "asyncpreemptoff=1"}) {
    ExpectRunningStacks(RunScenario("quit-running", godebug));
    ExpectRunningStacks(RunScenario("fatal-running", godebug));
  }
}

TEST(Crash, AThreadThatDoesNotAnswerDoesNotStopTheReport) {
  ChildResult r = RunScenario("quit-deaf");
  EXPECT_EQ(r.status, 2) << r.output;
  EXPECT_EQ(Count(r.output, "goroutine running on other thread; stack unavailable\n"), 1u)
      << r.output;
  EXPECT_EQ(Count(r.output, "ParkForEver(...)\n"), 3u) << r.output;
}

TEST(Crash, StackOfAllGoroutines) {
  ChildResult r = RunScenario("stack-all");
  EXPECT_EQ(r.status, 0) << r.output;
  EXPECT_EQ(r.output.rfind("goroutine 1 [running]:\n", 0), 0u) << r.output;
  EXPECT_EQ(Count(r.output, " [chan receive]:\n"), 3u) << r.output;
  EXPECT_EQ(Count(r.output, "created by "), 3u) << r.output;
}

}  // namespace
}  // namespace gort::testing
