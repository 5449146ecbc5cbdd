#include "gort/stack/internal/overflow.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "gort/base/attributes.h"
#include "gort/base/godebug.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/testing/coroutine.h"
#include "gort/platforms/signal.h"
#include "gort/stack/internal/overflow_report.h"
#include "gort/stack/internal/stack_alloc.h"
#include "gort/stack/internal/stack_layout.h"
#include "gort/tests/support/child.h"

namespace gort::rt {
namespace {

using gort::rt::testing::Coroutine;
using gort::rt::testing::TestThread;
using gort::testing::ChildResult;
using gort::testing::RunInChild;

void OnSignal(int sig, siginfo_t* info, void* ucontext) {
  SigCtx ctx(ucontext);
  if (!StackOverflowHandler(info, ctx, Getg())) _exit(77);
}

void InstallHandler() {
  static char altstack[256 << 10];
  SigStackSet(altstack, sizeof altstack);
  SigInstall(SIGSEGV, &OnSignal, nullptr);
  SigInstall(SIGBUS, &OnSignal, nullptr);
}

volatile int never = 0;

// Frames of `Bytes`, each touched.
template <size_t Bytes>
GORT_NOINLINE int Recurse(int n) {
  volatile char frame[Bytes];
  frame[0] = static_cast<char>(n);
  frame[Bytes - 1] = frame[0];
  if (never == 1) return 0;
  return Recurse<Bytes>(n + 1) + frame[Bytes / 2];
}

void WildWrite() { *reinterpret_cast<volatile char*>(uintptr_t{64} + never) = 1; }

ChildResult RunOnStack(void (*fn)(), int64_t guard, size_t bytes = 0) {
  return RunInChild([fn, guard, bytes] {
    godebug.stackguard = guard;
    StackInit();
    InstallHandler();
    TestThread thread;
    StackAlloc(bytes, nullptr);  // the lowest of a chunk has a hard guard in any case
    StackBounds b = StackAlloc(bytes, nullptr);
    Coroutine c(&thread, fn, reinterpret_cast<void*>(b.lo), b.hi - b.lo);
    c.Resume();
    StackFree(b, nullptr);
  });
}

const std::string kReport =
    "runtime: goroutine stack exceeds " + std::to_string(kDefaultStack) + "-byte limit\nruntime: ";
constexpr char kFatal[] = "\nfatal error: stack overflow\n\n";

void ExpectOverflow(const ChildResult& r) {
  EXPECT_EQ(r.status, 2) << r.output;
  EXPECT_EQ(r.output.rfind(kReport, 0), 0u) << r.output;
  EXPECT_NE(r.output.find(kFatal), std::string::npos) << r.output;
}

TEST(Overflow, SmallFrames) {
  ChildResult r = RunOnStack([] { Recurse<64>(0); }, 0);
  ExpectOverflow(r);
  EXPECT_NE(r.output.find("goroutine 7 [running]:\n"), std::string::npos) << r.output;
}
TEST(Overflow, FramesOfAPage) {
  ExpectOverflow(RunOnStack([] { Recurse<4096>(0); }, 0));
}
TEST(Overflow, Mprotect) {
  ExpectOverflow(RunOnStack([] { Recurse<512>(0); }, 1));
}

// Small stacks have no guards at all, and the smallest large ones narrow ones.
TEST(Overflow, ARunawayThroughStacksWithCanariesIsReported) {
  void (*const kRecursions[])() = {
      [] { Recurse<64>(0); },
      [] { Recurse<4096>(0); },
      [] { Recurse<16384>(0); },
      [] { Recurse<65536>(0); },
  };
  for (const size_t bytes : {size_t{2048}, size_t{16384}, size_t{32768}, kDefaultStack}) {
    for (void (*fn)() : kRecursions) {
      const ChildResult r = RunOnStack(fn, 2, bytes);
      EXPECT_EQ(r.status, 2) << r.output;
      const std::string report =
          "runtime: goroutine stack exceeds " + std::to_string(bytes) + "-byte limit\n";
      EXPECT_EQ(r.output.rfind(report, 0), 0u) << bytes << ": " << r.output;
      EXPECT_NE(r.output.find(kFatal), std::string::npos) << r.output;
    }
  }
}

void OverflowByALittle() {
  G* gp = Getg();
  // What a frame that just does not fit leaves behind.
  *reinterpret_cast<volatile uintptr_t*>(gp->stack.lo - 64) = 0x1234;
}

TEST(Overflow, CanaryIsFoundWhenTheStackIsFreed) {
  ExpectOverflow(RunOnStack(&OverflowByALittle, 2));
}

TEST(Overflow, CanaryIsFoundAtASwitch) {
  ChildResult r = RunOnStack(
      [] {
        OverflowByALittle();
        if (!StackCanaryOk(Getg())) StackCanaryFatal(Getg());
      },
      2);
  ExpectOverflow(r);
  EXPECT_NE(r.output.find("goroutine 7 [running]:\n"), std::string::npos) << r.output;
}

TEST(Overflow, IsKnownByTheStackPointerBelowTheStack) {
  G gp;
  gp.stack = {uintptr_t{3} << 40, (uintptr_t{3} << 40) + kDefaultStack};
  const uintptr_t lo = gp.stack.lo;
  auto overflowed = [&gp](uintptr_t addr, uintptr_t sp) {
    StackBounds stack;
    return StackOverflowed(addr, sp, &gp, &stack) && stack.lo == gp.stack.lo;
  };
  constexpr uintptr_t kFar = uintptr_t{32} << 20;
  EXPECT_TRUE(overflowed(lo - kFar, lo - kFar));
  EXPECT_TRUE(overflowed(lo - kFar - 8, lo - kFar)) << "a call pushes its return address";
  EXPECT_TRUE(overflowed(lo - 8, lo - kFar)) << "the frame's upper end";
  EXPECT_FALSE(overflowed(64, lo - kFar)) << "a stack of the program's own, and a null pointer";
  EXPECT_FALSE(overflowed(lo + 8, lo - kFar));
  EXPECT_FALSE(overflowed(lo - kFar, lo + 8)) << "the stack pointer is where it should be";
  EXPECT_FALSE(overflowed(lo - 2 * kFarthestOverflow, lo - 2 * kFarthestOverflow));
}

TEST(Overflow, OtherFaultsAreNot) {
  ChildResult r = RunOnStack(&WildWrite, 0);
  EXPECT_EQ(r.status, 77) << r.output;
}

TEST(Overflow, ASignalThatSomebodySentIsNot) {
  ChildResult r = RunOnStack([] { raise(SIGSEGV); }, 0);
  EXPECT_EQ(r.status, 77) << r.output;
}

TEST(Overflow, FreeingTwiceAndFreeingNonsenseAreFatal) {
  ChildResult r = RunInChild([] {
    StackBounds b = StackAlloc(0, nullptr);
    StackFree(b, nullptr);
    StackFree(b, nullptr);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("fatal error: stackfree: freed twice"), std::string::npos) << r.output;
  r = RunInChild([] {
    StackBounds b = StackAlloc(0, nullptr);
    b.lo += 4096;
    StackFree(b, nullptr);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("fatal error: stackfree: not a stack"), std::string::npos) << r.output;
  r = RunInChild([] { StackFree({4096, 8192}, nullptr); });
  EXPECT_EQ(r.status, 2);
}

}  // namespace
}  // namespace gort::rt
