#include "gort/traceback/traceback.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/testing/coroutine.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/sigctx.h"
#include "gort/traceback/frame_printer.h"
#include "gort/traceback/lines.h"
#include "gort/traceback/running.h"
#include "gort/traceback/symbolize.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {
namespace {

using gort::rt::testing::Coroutine;
using gort::rt::testing::TestThread;

// The functions of this test are in a namespace of the runtime.
[[maybe_unused]] const bool show_all = (ShowAllFrames(), true);

// Keeps a call from becoming a jump, so that the caller's frame stays.
#define NOT_A_TAIL_CALL() asm volatile("" ::: "memory")

template <class F>
std::string Text(F&& f) {
  std::string text(256 << 10, '\0');
  Printer p(text.data(), text.size());
  f(p);
  text.resize(p.size());
  return text;
}

// The function names of a traceback, innermost first.
std::vector<std::string> Names(const std::string& text) {
  std::vector<std::string> names;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    size_t paren = line.find("(...)");
    if (line[0] != '\t' && paren != std::string::npos && paren + 5 == line.size()) {
      size_t colons = line.rfind("::", paren);
      size_t from = colons == std::string::npos ? 0 : colons + 2;
      names.push_back(line.substr(from, paren - from));
    }
    at = end + 1;
  }
  return names;
}

// True when the names occur in that order with nothing in between.
bool HasRun(const std::vector<std::string>& all, const std::vector<std::string>& run) {
  for (size_t i = 0; i + run.size() <= all.size(); ++i) {
    if (std::equal(run.begin(), run.end(), all.begin() + static_cast<long>(i))) return true;
  }
  return false;
}

GORT_NOINLINE void Inner() {
  Coroutine::Park();
  NOT_A_TAIL_CALL();
}
GORT_NOINLINE void Middle() {
  Inner();
  NOT_A_TAIL_CALL();
}
GORT_NOINLINE void Outer() {
  Middle();
  NOT_A_TAIL_CALL();
}

int ParkingCompare(const void* a, const void* b) {
  Coroutine::Park();
  return *static_cast<const char*>(a) - *static_cast<const char*>(b);
}
GORT_NOINLINE void ThroughTheCLibrary() {
  char letters[] = "ba";
  qsort(letters, 2, 1, &ParkingCompare);
  NOT_A_TAIL_CALL();
}

GORT_NOINLINE void Recurse(int n) {
  if (n == 0) {
    Coroutine::Park();
  } else {
    Recurse(n - 1);
  }
  NOT_A_TAIL_CALL();
}
void RecurseDeep() {
  Recurse(300);
  NOT_A_TAIL_CALL();
}

TEST(Unwind, CurrentStackFromTheCallerOn) {
  uintptr_t pcs[64];
  int n = Callers(0, pcs, 64);
  ASSERT_GT(n, 3);
  Symbol s;
  ASSERT_TRUE(Symbolize(pcs[0], &s));
  EXPECT_NE(std::string(s.name).find("CurrentStackFromTheCallerOn"), std::string::npos) << s.name;
  uintptr_t skipped[64];
  ASSERT_EQ(Callers(1, skipped, 64), n - 1);
  EXPECT_EQ(skipped[1], pcs[2]);
  EXPECT_EQ(Callers(0, pcs, 2), 2);
}

std::atomic<int> walked{0};
void WalkInterrupted(int, siginfo_t*, void* ucontext) {
  UnwindSigCtx(
      SigCtx(ucontext), [](const Frame&, void*) { return true; }, nullptr);
  walked.fetch_add(1);
}

bool Reaches(const std::atomic<int>& count, int n) {
  const int64_t deadline = Nanotime() + 10'000'000'000;
  while (count.load() < n && Nanotime() < deadline) std::this_thread::yield();
  return count.load() >= n;
}

// A lock of the unwinder's that the interrupted throw holds would never be free. (ThreadSanitizer's
// handlers come later.)
TEST(Unwind, EndsInAHandlerThatInterruptsAThrow) {
  if (GORT_TSAN) GTEST_SKIP();
  struct sigaction walk {};
  walk.sa_sigaction = &WalkInterrupted;
  walk.sa_flags = SA_SIGINFO | SA_RESTART;
  struct sigaction before {};
  sigaction(SIGUSR1, &walk, &before);
  static std::atomic<bool> done{false};
  std::thread thrower([] {
    while (!done) {
      try {
        throw 1;
      } catch (int) {
      }
    }
  });
  for (int i = 1; i <= 500; ++i) {
    pthread_kill(thrower.native_handle(), SIGUSR1);
    if (Reaches(walked, i)) continue;
    thrower.detach();
    FAIL() << "walk " << i << " stands still";
  }
  done = true;
  thrower.join();
  sigaction(SIGUSR1, &before, nullptr);
}

// The kernel's code in this process, which clock_gettime calls.
struct KernelsCode {
  uintptr_t lo = getauxval(AT_SYSINFO_EHDR);
  uintptr_t hi = lo + (16 << 10);
  bool Holds(uintptr_t pc) const { return lo != 0 && pc >= lo && pc < hi; }
};
constinit std::atomic<int> in_kernels_code{0};
constinit std::atomic<int> with_caller{0};

GORT_NOINLINE void AskForTheTime(const std::atomic<bool>& done) {
  timespec now;
  while (!done) clock_gettime(CLOCK_MONOTONIC, &now);
  NOT_A_TAIL_CALL();
}

void LookForTheCaller(int, siginfo_t*, void* ucontext) {
  const SigCtx ctx(ucontext);
  if (!KernelsCode().Holds(ctx.pc())) return;
  bool caller = false;
  UnwindSigCtx(
      ctx,
      [](const Frame& frame, void* arg) {
        const uintptr_t begin = reinterpret_cast<uintptr_t>(&AskForTheTime);
        if (frame.pc - begin < 256) *static_cast<bool*>(arg) = true;
        return true;
      },
      &caller);
  if (caller) with_caller.fetch_add(1);
  in_kernels_code.fetch_add(1);
}

TEST(Unwind, GoesFromTheKernelsCodeToItsCaller) {
  if (GORT_TSAN) GTEST_SKIP();
  if (KernelsCode().lo == 0) GTEST_SKIP() << "the system has none";
  struct sigaction look {};
  look.sa_sigaction = &LookForTheCaller;
  look.sa_flags = SA_SIGINFO | SA_RESTART;
  struct sigaction before {};
  sigaction(SIGUSR1, &look, &before);
  std::atomic<bool> done{false};
  std::thread asker([&done] { AskForTheTime(done); });
  const int64_t deadline = Nanotime() + 10'000'000'000;
  while (in_kernels_code.load() < 20 && Nanotime() < deadline) {
    pthread_kill(asker.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  done = true;
  asker.join();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_GE(in_kernels_code.load(), 20);
  EXPECT_EQ(with_caller.load(), in_kernels_code.load());
}

TEST(Symbolize, HiddenAndStaticFunctionsHaveNames) {
  Symbol s;
  uintptr_t pc = reinterpret_cast<uintptr_t>(&ParkingCompare);
  ASSERT_TRUE(Symbolize(pc + 1, &s));
  EXPECT_NE(std::string(s.name).find("ParkingCompare"), std::string::npos);
  EXPECT_EQ(s.start, pc);
  EXPECT_NE(std::string(s.object).find("traceback_test"), std::string::npos);
  EXPECT_FALSE(Symbolize(0x10, &s));
  int local = 0;
  EXPECT_FALSE(Symbolize(reinterpret_cast<uintptr_t>(&local), &s));
}

TEST(Traceback, ParkedGoroutine) {
  TestThread thread;
  Coroutine c(&thread, &Outer);
  c.Resume();
  std::string text = Text([&](Printer& p) { PrintTraceback(p, &c.g); });
  std::vector<std::string> names = Names(text);
  EXPECT_TRUE(HasRun(names, {"Inner", "Middle", "Outer"})) << text;
  EXPECT_EQ(text.find("goexit"), std::string::npos) << text;
  EXPECT_EQ(names.back(), "Start") << text;
  EXPECT_NE(text.find("traceback_test+0x"), std::string::npos) << text;
  c.Resume();
  EXPECT_EQ(ReadGStatus(&c.g), uint32_t{kGDead});
}

TEST(Traceback, ParkedBelowTheCLibrary) {
  TestThread thread;
  Coroutine c(&thread, &ThroughTheCLibrary);
  c.Resume();
  std::string text = Text([&](Printer& p) { PrintTraceback(p, &c.g); });
  std::vector<std::string> names = Names(text);
  EXPECT_TRUE(HasRun(names, {"ThroughTheCLibrary", "Start"})) << text;
  while (ReadGStatus(&c.g) != kGDead) c.Resume();
}

TEST(Traceback, GoroutineThatHasNotRunYet) {
  TestThread thread;
  Coroutine c(&thread, &Outer);
  EXPECT_EQ(Names(Text([&](Printer& p) { PrintTraceback(p, &c.g); })),
            std::vector<std::string>{"Outer"});
}

TEST(Traceback, LongStacksAreElided) {
  TestThread thread;
  Coroutine c(&thread, &RecurseDeep);
  c.Resume();
  std::string text = Text([&](Printer& p) { PrintTraceback(p, &c.g); });
  EXPECT_EQ(Names(text).size(), 100u) << text;
  EXPECT_NE(text.find(" frames elided)...\n"), std::string::npos) << text;
  EXPECT_TRUE(HasRun(Names(text), {"Recurse", "RecurseDeep", "Start"})) << text;
  c.Resume();
}

std::string header_from_inside;

GORT_NOINLINE void ReportOnOneself() {
  header_from_inside = StackText(false);
  NOT_A_TAIL_CALL();
}

TEST(Traceback, OnesOwnStack) {
  TestThread thread;
  Coroutine c(&thread, &ReportOnOneself);
  c.g.gopc = reinterpret_cast<uintptr_t>(&Outer) + 1;
  c.g.parent_goid = 3;
  c.Resume();
  EXPECT_EQ(header_from_inside.rfind("goroutine 7 [running]:\n", 0), 0u) << header_from_inside;
  EXPECT_TRUE(HasRun(Names(header_from_inside), {"ReportOnOneself", "Start"}))
      << header_from_inside;
  EXPECT_NE(header_from_inside.find("Outer() in goroutine 3\n\t"), std::string::npos)
      << header_from_inside;
}

// A function of a class whose name is empty, as wrong debug information may have it.
SourceLines InNothing(const Symbol&) {
  static constexpr SourceLine kLine = {"::operator()", "", "a.cc", 3, "a.cc", 2};
  return {1, &kLine};
}

TEST(Traceback, AFunctionOfAScopeWithoutAName) {
  SourceLines (*const before)(const Symbol&) = source_lines_hook.Get();
  source_lines_hook.Set(&InNothing);
  const std::string all =
      Text([](Printer& p) { PrintCreator(p, reinterpret_cast<uintptr_t>(&InNothing), 7); });
  source_lines_hook.Set(before);
  EXPECT_EQ(all.find("created by ::operator()() in goroutine 7\n\ta.cc:3"), 0u) << all;
}

TEST(Traceback, Header) {
  G g;
  g.goid = 12;
  auto header = [&g] { return Text([&](Printer& p) { PrintGoroutineHeader(p, &g); }); };
  g.atomicstatus.store(kGRunnable);
  EXPECT_EQ(header(), "goroutine 12 [runnable]:\n");
  g.atomicstatus.store(kGWaiting | kGScan);
  g.waitreason = WaitReason::kChanReceive;
  EXPECT_EQ(header(), "goroutine 12 [chan receive]:\n");
  g.waitsince = Nanotime() - 150ll * 1'000'000'000;
  EXPECT_EQ(header(), "goroutine 12 [chan receive, 2 minutes]:\n");
  M m;
  g.lockedm = &m;
  EXPECT_EQ(header(), "goroutine 12 [chan receive, 2 minutes, locked to thread]:\n");
}

TEST(Traceback, OthersOldestFirst) {
  TestThread thread;
  Coroutine a(&thread, &Outer);
  Coroutine b(&thread, &Outer);
  Coroutine dead(&thread, &Outer);
  Coroutine running(&thread, &Outer);
  a.g.goid = 20;
  b.g.goid = 21;
  dead.g.goid = 22;
  running.g.goid = 23;
  a.Resume();
  dead.g.atomicstatus.store(kGDead);
  running.g.atomicstatus.store(kGRunning);
  G* before = allgs.load();
  a.g.alllink = nullptr;
  b.g.alllink = &a.g;
  dead.g.alllink = &b.g;
  running.g.alllink = &dead.g;
  allgs.store(&running.g);
  std::string text = Text([&](Printer& p) { TracebackOthers(p, nullptr, false); });
  allgs.store(before);
  size_t at_a = text.find("\ngoroutine 20 [");
  size_t at_b = text.find("\ngoroutine 21 [runnable]:");
  EXPECT_LT(at_a, at_b) << text;
  EXPECT_LT(at_b, text.find("\ngoroutine 23 [running]:\n\tgoroutine running on other thread"))
      << text;
  EXPECT_EQ(text.find("goroutine 22"), std::string::npos) << text;
  EXPECT_EQ(ReadGStatus(&a.g), uint32_t{kGWaiting});  // thawed
  a.Resume();
}

G* gives_way = nullptr;

// It is cut off while its thread is asked, which then waits in its handler and does not answer.
bool GivesWay(int) {
  gives_way->atomicstatus.store(kGWaiting);
  return false;
}

TEST(Traceback, OneThatGivesWayWhileItsThreadIsAskedIsWalked) {
  if (GORT_TSAN) GTEST_SKIP() << "no thread is asked there";
  TestThread thread;
  Coroutine a(&thread, &Outer);
  a.g.goid = 20;
  a.Resume();
  M other;
  other.tid.store(1);  // not this thread
  other.curg.store(&a.g);
  M* const own = a.g.m;
  a.g.m = &other;
  a.g.atomicstatus.store(kGRunning);
  gives_way = &a.g;
  G* before = allgs.load();
  a.g.alllink = nullptr;
  allgs.store(&a.g);
  bool (*const no_request)(int) = stack_request_hook.Get();
  stack_request_hook.Set(&GivesWay);
  const std::string text = Text([](Printer& p) { TracebackOthers(p, nullptr, true); });
  stack_request_hook.Set(no_request);
  allgs.store(before);
  EXPECT_TRUE(HasRun(Names(text), {"Inner", "Middle", "Outer", "Start"})) << text;
  EXPECT_EQ(ReadGStatus(&a.g), uint32_t{kGWaiting});  // thawed
  a.g.m = own;
  a.Resume();
}

// Runs f, which must fault, in a child; returns the function names of the interrupted context.
std::vector<std::string> NamesAtFault(void (*f)()) {
  int fds[2];
  EXPECT_EQ(pipe(fds), 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct sigaction sa {};
    static int out;
    out = fds[1];
    sa.sa_sigaction = [](int, siginfo_t*, void* ucontext) {
      static G g;
      g.signal_context = ucontext;
      static char text[64 << 10];
      Printer p(text, sizeof text);
      PrintTraceback(p, &g);
      if (write(out, text, p.size()) < 0) _exit(1);
      _exit(0);
    };
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &sa, nullptr);
    f();
    _exit(1);
  }
  close(fds[1]);
  std::string text;
  char buf[4096];
  for (ssize_t n; (n = read(fds[0], buf, sizeof buf)) > 0;)
    text.append(buf, static_cast<size_t>(n));
  close(fds[0]);
  return Names(text);
}

volatile uintptr_t bad_address = 8;
GORT_NOINLINE void FaultInLeaf() { *reinterpret_cast<volatile int*>(bad_address) = 1; }
GORT_NOINLINE void CallsFault() {
  FaultInLeaf();
  NOT_A_TAIL_CALL();
}
GORT_NOINLINE void CallsNothing() {
  void (*volatile nothing)() = nullptr;
  nothing();
  NOT_A_TAIL_CALL();
}

TEST(Traceback, InterruptedLeafFunction) {
  std::vector<std::string> names = NamesAtFault(&CallsFault);
  ASSERT_GT(names.size(), 3u);
  EXPECT_EQ(names[0], "FaultInLeaf");
  EXPECT_EQ(names[1], "CallsFault");
}

TEST(Traceback, CallOfANullPointer) {
  std::vector<std::string> names = NamesAtFault(&CallsNothing);
  ASSERT_GT(names.size(), 3u);
  EXPECT_EQ(names[0], "??");
  EXPECT_EQ(names[1], "CallsNothing");
}

}  // namespace
}  // namespace gort::rt
