#include "gort/base/throw.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>

#include "gort/base/attributes.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using testing::ChildResult;
using testing::RunInChild;

template <class F>
std::string Printed(F print) {
  char out[256];
  Printer p(out, sizeof out);
  print(p);
  return std::string(out, p.size());
}

TEST(Printer, FormatsIntegersOfEveryWidthAndTheirExtremes) {
  EXPECT_EQ(Printed([](Printer& p) { p << 0 << ' ' << -1 << ' ' << 7u; }), "0 -1 7");
  EXPECT_EQ(Printed([](Printer& p) { p << INT_MIN << ' ' << INT_MAX; }), "-2147483648 2147483647");
  EXPECT_EQ(Printed([](Printer& p) { p << INT64_MIN << ' ' << INT64_MAX; }),
            "-9223372036854775808 9223372036854775807");
  EXPECT_EQ(Printed([](Printer& p) { p << LLONG_MIN << ' ' << UINT64_MAX << ' ' << 10ul; }),
            "-9223372036854775808 18446744073709551615 10");
}

TEST(Printer, FormatsHexPointersStringsAndBools) {
  EXPECT_EQ(Printed([](Printer& p) { p.Hex(0) << ' ', p.Hex(0xbeef) << ' ', p.Hex(UINT64_MAX); }),
            "0x0 0xbeef 0xffffffffffffffff");
  EXPECT_EQ(Printed([](Printer& p) { p << reinterpret_cast<const void*>(uintptr_t{0x10}); }),
            "0x10");
  EXPECT_EQ(Printed([](Printer& p) { p << static_cast<const char*>(nullptr) << true << false; }),
            "(null)truefalse");
  EXPECT_EQ(Printed([](Printer& p) { p.Str("a\0b", 3); }), std::string("a\0b", 3));
}

TEST(Printer, SinkKeepsWhatFitsAndNothingBeyond) {
  char out[8] = {0, 0, 0, 0, 'x', 'x', 'x', 'x'};
  Printer p(out, 4);
  p << "ab" << 12345;
  EXPECT_EQ(p.size(), 4u);
  EXPECT_EQ(std::string(out, sizeof out), "ab12xxxx");
  p << 'c';
  p.Flush();
  EXPECT_EQ(p.size(), 4u);
  EXPECT_EQ(std::string(out, sizeof out), "ab12xxxx");
}

TEST(Printer, SinkOfNoBytesTakesNothing) {
  char out = 'x';
  Printer p(&out, 0);
  p << "abc";
  EXPECT_EQ(p.size(), 0u);
  EXPECT_EQ(out, 'x');
}

TEST(Printer, WritesEverythingInOrderWhenItsBufferOverflows) {
  ChildResult r = RunInChild([] {
    Printer p;
    for (int i = 0; i < 1000; ++i) p << i << ',';
    p << '\n';
    if (p.size() != 3891) _exit(1);
  });
  std::string want;
  for (int i = 0; i < 1000; ++i) want += std::to_string(i) + ',';
  EXPECT_EQ(r.output, want + '\n');
  EXPECT_EQ(r.status, 0);
}

TEST(Printer, OneLineIsOneWriteAtTheFlush) {
  ChildResult r = RunInChild([] {
    Printer p;
    p << "second\n";
    if (write(STDERR_FILENO, "first\n", 6) != 6) _exit(1);
  });
  EXPECT_EQ(r.output, "first\nsecond\n");
}

TEST(Printer, LeavesErrnoAloneEvenWhenStderrIsClosed) {
  ChildResult r = RunInChild([] {
    close(STDERR_FILENO);
    errno = 1234;
    Printer() << "lost\n";
    _exit(errno == 1234 ? 7 : 1);
  });
  EXPECT_EQ(r.status, 7);
}

TEST(Printer, WaitsForRoomInANonBlockingStderr) {
  constexpr int kBytes = 1 << 20;  // more than any default pipe holds
  ChildResult r = RunInChild([] {
    fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
    Printer p;
    for (int i = 0; i < kBytes; ++i) p << 'z';
  });
  EXPECT_EQ(r.output.size(), static_cast<size_t>(kBytes));
}

TEST(Throw, PrintsItsTextAndExitsWithStatus2) {
  ChildResult r = RunInChild([] { Throw("the sky fell"); });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, "fatal error: the sky fell\n");
}

TEST(Throw, AsksForTheCurrentGoroutineAndFatalForAll) {
  auto hook = [](bool all) { Printer() << (all ? "all\n" : "current\n"); };
  ChildResult thrown = RunInChild([&] {
    fatal_report_hook.Set(hook);
    Throw("t");
  });
  EXPECT_EQ(thrown.output, "fatal error: t\ncurrent\n");
  EXPECT_EQ(thrown.status, 2);
  ChildResult fatal = RunInChild([&] {
    fatal_report_hook.Set(hook);
    Fatal("f");
  });
  EXPECT_EQ(fatal.output, "fatal error: f\nall\n");
  EXPECT_EQ(fatal.status, 2);
}

TEST(Throw, RunsNoExitHandler) {
  ChildResult r = RunInChild([] {
    atexit([] { Printer() << "handler ran\n"; });
    Throw("t");
  });
  EXPECT_EQ(r.output, "fatal error: t\n");
}

TEST(Throw, ThreadsThatDieTogetherPrintOneReport) {
  ChildResult r = RunInChild([] {
    fatal_report_hook.Set([](bool) {
      // Holds the report open until both threads have had every chance to die, too.
      for (int i = 0; i < 1000; ++i) sched_yield();
      Printer() << "end of report\n";
    });
    std::atomic<int> ready{0};
    auto die = [&ready] {
      ready.fetch_add(1);
      while (ready.load() != 2) {
      }
      Throw("one of two");
    };
    std::thread a(die), b(die);
    a.join();
    b.join();
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, "fatal error: one of two\nend of report\n");
}

TEST(Throw, ADeathInsideTheReportAddsOneLineAndExits) {
  ChildResult r = RunInChild([] {
    fatal_report_hook.Set([](bool) { Throw("the traceback broke"); });
    Throw("first");
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output,
            "fatal error: first\n"
            "fatal error: the traceback broke (while reporting the above)\n");
}

TEST(Throw, AFaultInsideTheReportExitsWithStatus2) {
  ChildResult r = RunInChild([] {
    struct sigaction sa = {};
    sa.sa_handler = [](int) {
      BeginFatal();
      Printer() << "not reached\n";
    };
    sigaction(SIGSEGV, &sa, nullptr);
    static void* no_access = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fatal_report_hook.Set([](bool) { *static_cast<volatile char*>(no_access) = 0; });
    Throw("first");
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, "fatal error: first\n");
}

TEST(Throw, AFaultInsideAReportFromASignalHandlerExitsWithStatus2) {
  ChildResult r = RunInChild([] {
    struct sigaction sa = {};
    sa.sa_handler = [](int) { BeginFatal(); };
    sigfillset(&sa.sa_mask);
    sigaction(SIGSEGV, &sa, nullptr);
    sa.sa_handler = [](int) { Throw("from a handler"); };
    sigaction(SIGUSR1, &sa, nullptr);
    static void* no_access = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fatal_report_hook.Set([](bool) { *static_cast<volatile char*>(no_access) = 0; });
    raise(SIGUSR1);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, "fatal error: from a handler\n");
}

TEST(Check, PassesSilentlyAndFailsWithTextAndPlace) {
  GORT_CHECK(1 + 1 == 2);
  ChildResult r = RunInChild([] { GORT_CHECK(1 + 1 == 3); });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("check failed: 1 + 1 == 3 at base/throw_test.cc:"), std::string::npos)
      << r.output;
}

TEST(Check, DebugFormIsEvaluatedInDebugBuildsOnly) {
  int evaluated = 0;
  GORT_DCHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, kDebug ? 1 : 0);
}

}  // namespace
}  // namespace gort::rt
